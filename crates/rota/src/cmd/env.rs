//! `rota env`.

use rota_api::{EnvRequest, EnvVariable, ExitCode};

use crate::args::EnvArgs;
use crate::context::Context;
use crate::failure::Done;
use crate::output::{Ink, Paint, clean};

pub(super) fn run(context: &Context, args: EnvArgs) -> Done {
    let request = EnvRequest {
        target: args.target,
        reveal: args.reveal,
    };
    let answer = context.block_on(async { Ok(context.client().await?.env(&request).await?) })?;
    let mut out = context.out();
    if args.json {
        out.pretty_json(&answer)?;
    } else {
        for variable in &answer.variables {
            out.line(&render(variable, out.paint))?;
        }
    }
    out.flush()?;
    Ok(ExitCode::Ok)
}

fn render(variable: &EnvVariable, paint: Paint) -> String {
    let name = clean(&variable.name);
    match &variable.value {
        Some(value) => format!("{name}={}", clean(value)),
        None => {
            let ending = if variable.length == 1 { "" } else { "s" };
            let text = format!("(hidden, {} character{ending})", variable.length);
            format!("{name}={}", paint.apply(Ink::Dim, &text))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_for_each_variable() {
        let line = |value: Option<&str>, length| {
            let variable = EnvVariable {
                name: "A".to_owned(),
                value: value.map(str::to_owned),
                length,
            };
            render(&variable, Paint::PLAIN)
        };
        assert_eq!(line(Some("x y"), 3), "A=x y");
        assert_eq!(line(Some(""), 0), "A=");
        assert_eq!(line(None, 12), "A=(hidden, 12 characters)");
        assert_eq!(line(None, 1), "A=(hidden, 1 character)");
        assert!(!line(Some("a\x1b[2Jb\nc"), 8).contains(['\x1b', '\n']));
    }
}
