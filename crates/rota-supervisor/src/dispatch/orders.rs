//! Carries out the orders of the rest of the supervisor.

use rota_node::primary::Role;

use super::keep::primary_key;
use super::shell::Shell;
use super::types::{
    AppStats, ChannelKind, DispatchCommand, DispatchEvent, ListenerStats, Stats, WorkerStats,
};

impl Shell {
    pub(super) fn order(&mut self, command: DispatchCommand) {
        use DispatchCommand as Order;
        match command {
            Order::AddWorker {
                worker,
                app,
                slot,
                kind,
                inherits,
                channel,
            } => {
                let role = match kind {
                    ChannelKind::Cluster { balance } => Role::Cluster(balance),
                    ChannelKind::Plain => Role::Plain,
                };
                self.add_worker(worker, app, slot, role, inherits, channel);
            }
            Order::ActAs { app, user } => self.io.sockets.act_as(app, user),
            Order::StopDealing { worker } => self.with_primary_of(worker, |primary, host, now| {
                primary.stop_dealing(worker, now, host);
            }),
            Order::ResumeDealing { worker } => {
                self.with_primary_of(worker, |primary, host, now| {
                    primary.resume_dealing(worker, now, host);
                })
            }
            Order::Disconnect { worker } => self.with_primary_of(worker, |primary, host, now| {
                primary.disconnect(worker, now, host);
            }),
            Order::Drain {
                worker,
                order,
                starting,
            } => self.drain(worker, order, starting),
            Order::SendMessage { worker, json } => {
                let mut line = json.into_bytes();
                line.push(b'\n');
                self.io.send(worker, &line, None);
            }
            Order::CloseChannel { worker } => self.end_channel(worker),
            Order::RemoveWorker { worker } => {
                self.read_to_the_end(worker);
                self.forget_worker(worker);
                (self.io.events)(DispatchEvent::Removed { worker });
            }
            Order::InheritFd { app, number, fd } => self.io.sockets.inherit(app, number, fd),
            Order::ForgetFd { app, number } => {
                self.io.sockets.disinherit(app, number);
                self.with_primary(app, |primary, host, _| {
                    primary.close_inherited(number, host)
                });
            }
            Order::Recover { app, fd } => self.io.sockets.recovered.add(app, fd),
            Order::BindBeside { app } => self.io.sockets.recovered.bind_beside(app),
            Order::EndRecovery { app } => self.io.sockets.recovered.end(app),
            Order::Store { key, fd } => self.io.sockets.recovered.store(key, fd),
            Order::TakeStored { key } => self.io.sockets.recovered.take_out(&key),
            Order::EndStored => self.io.sockets.recovered.end_stored(),
            Order::LeaveSockets => self.io.leaves_sockets = true,
            Order::Ping { number } => (self.io.events)(DispatchEvent::Alive { number }),
            Order::CloseIdleListeners { app } => {
                self.with_primary(app, |primary, host, _| primary.close_idle(host));
            }
            Order::RetireIdleListeners { app } => {
                self.with_primary(app, |primary, host, _| primary.retire_idle(host));
            }
            Order::RemoveApp { app } => self.remove_app(app),
            Order::Stats { reply } => reply(self.stats()),
        }
    }

    fn end_channel(&mut self, worker: u64) {
        self.with_primary_of(worker, |primary, host, now| {
            primary.stop_dealing(worker, now, host);
        });
        if let Some(link) = self.io.links.get_mut(&worker) {
            link.channel.end_writing();
        }
        self.io.rewatch(worker);
    }

    fn remove_app(&mut self, app: u32) {
        self.with_primary(app, |primary, host, _| primary.close_all(host));
        let of_app =
            |(worker, link): (&u64, &super::io::Link)| (link.app == app).then_some(*worker);
        let left: Vec<u64> = self.io.links.iter().filter_map(of_app).collect();
        for worker in left {
            self.forget_worker(worker);
        }
        self.apps.remove(&app);
        self.io.keep.drop_entry(&primary_key(app));
        self.io.sockets.forget_inherited(app);
        self.io.sockets.recovered.end(app);
    }

    fn stats(&self) -> Stats {
        let mut stats = Stats::default();
        for (app, state) in &self.apps {
            stats
                .workers
                .extend(state.primary.workers().map(|view| WorkerStats {
                    worker: view.worker,
                    app: *app,
                    slot: view.slot,
                    open: view.open,
                    pending: u32::try_from(view.pending + view.queued).unwrap_or(u32::MAX),
                    dealt: view.dealt,
                    refused: view.refused,
                    handed_over: view.handed_over,
                    taken_over: view.taken_over,
                    agent: view.agent,
                    dealing: view.dealing,
                    violations: view.violations,
                }));
            stats.apps.push(AppStats {
                app: *app,
                listeners: self.listener_stats(*app, state),
            });
        }
        stats.workers.sort_by_key(|stats| stats.worker);
        stats.apps.sort_by_key(|stats| stats.app);
        stats
    }

    fn listener_stats(&self, app: u32, state: &super::shell::App) -> Vec<ListenerStats> {
        let mut all = Vec::new();
        for view in state.primary.listeners() {
            for socket in state.primary.sockets(view.id) {
                let Some((number, _)) = self.io.sockets.get(app, socket) else {
                    continue;
                };
                all.push(ListenerStats {
                    listener: number,
                    address: view.sockname.to_string(),
                    balance: view.balance,
                    udp: view.udp,
                    slot: socket.slot.or(view.first_slot),
                    workers: u32::try_from(view.workers).unwrap_or(u32::MAX),
                    waiting: u32::try_from(view.waiting).unwrap_or(u32::MAX),
                });
            }
        }
        all
    }
}
