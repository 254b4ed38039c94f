//! Scripts for systems without systemd.

use rota_api::ExitCode;

use super::MARK;
use super::service::Service;
use crate::failure::{Failure, Stop};

/// For OpenRC, whose `supervise-daemon` starts the daemon again when it is killed.
pub(super) fn openrc(service: &Service) -> Result<String, Stop> {
    check(service)?;
    Ok(format!(
        r#"#!/sbin/openrc-run
# {MARK}; `rota unstartup` removes it.
# At boot what ran runs again.

name="rota"
description="rota: {owner}"

supervisor="supervise-daemon"
command="{program}"
command_args="daemon"
command_user="{user}"
directory="{folder}"
supervise_daemon_args="--env ROTA_HOME={home}"
respawn_delay=2
respawn_max=0
# Workers finish what they have first; the slowest app decides how long that takes.
retry="TERM/120/KILL/5"
output_log="/var/log/$RC_SVCNAME.log"
error_log="/var/log/$RC_SVCNAME.log"
extra_started_commands="reload"

depend() {{
	use net dns logger
	after localmount firewall
}}

start_pre() {{
	checkpath --file --owner "{user}" --mode 0640 "/var/log/$RC_SVCNAME.log"
}}

reload() {{
	ebegin "Reloading all apps that run"
	supervise-daemon "$RC_SVCNAME" --signal HUP
	eend $?
}}
"#,
        owner = service.owner(),
        program = service.program.display(),
        user = service.user,
        folder = service.folder.display(),
        home = service.home.display(),
    ))
}

/// For everything else: a shell script with an LSB header. The daemon is in the background; nobody starts it again when it
/// is killed.
pub(super) fn sysv(service: &Service) -> Result<String, Stop> {
    check(service)?;
    Ok(format!(
        r#"#!/bin/sh
### BEGIN INIT INFO
# Provides:          {name}
# Required-Start:    $local_fs $remote_fs $network
# Required-Stop:     $local_fs $remote_fs $network
# Should-Start:      $named $syslog
# Default-Start:     2 3 4 5
# Default-Stop:      0 1 6
# Short-Description: rota: {owner}
# Description:       At boot what ran runs again.
### END INIT INFO
# {MARK}; `rota unstartup` removes it.

owner='{user}'
program='{program}'
export ROTA_HOME='{home}'

rota() {{
	if [ "$(id -un)" = "$owner" ]; then
		"$program" "$@"
	else
		su -s /bin/sh "$owner" -c "ROTA_HOME='$ROTA_HOME' exec '$program' $*"
	fi
}}

case "$1" in
start)
	# What does not come up is told of in daemon.log, and does not hold the boot up.
	rota resurrect --no-wait
	;;
stop)
	rota kill
	;;
restart)
	rota kill && rota resurrect --no-wait
	;;
force-reload|reload)
	# The daemon's number stands in its lock; HUP reloads all apps that run.
	rota ping >/dev/null && kill -HUP "$(cat "$ROTA_HOME/daemon.lock")"
	;;
status)
	# 3: not running, which is what rota says as well.
	rota ping
	;;
*)
	echo "usage: $0 {{start|stop|restart|reload|force-reload|status}}" >&2
	exit 2
	;;
esac
"#,
        name = service.name,
        owner = service.owner(),
        user = service.user,
        program = service.program.display(),
        home = service.home.display(),
    ))
}

/// A blank goes through too many shells.
fn check(service: &Service) -> Result<(), Stop> {
    for path in [&service.program, &service.home, &service.folder] {
        if path.display().to_string().contains(char::is_whitespace) {
            let text = format!(
                "{} has a blank in it, which no init script carries",
                path.display()
            );
            return Err(Failure::new(ExitCode::Failed, text).into());
        }
    }
    Ok(())
}
