//! `NOTIFY_SOCKET`: what a program tells its supervisor by systemd's `sd_notify` protocol.
//!
//! ```ignore
//! let socket = NotifySocket::bind(&home.notify(), worker)?; // NotifyError::PathTooLong …
//! env.insert("NOTIFY_SOCKET", socket.path());
//! // Each datagram's contents go to `tx: tokio::sync::mpsc::Sender<(u64, Notification)>`, in order.
//! let listener: NotifyListener = socket.listen(tx)?; // spawn_local; dropping it stops it and unlinks the path
//!
//! enum Notification { Ready, Stopping, Reloading, Status(String), Errno(i32), MainPid(u32), Watchdog,
//!     WatchdogTrigger, WatchdogInterval(Duration), ExtendTimeout(Duration) }
//!
//! let mut watchdog = WatchdogTimer::new(interval, now); // Instants; pure
//! watchdog.fed(now); watchdog.set_interval(interval, now); watchdog.deadline(); watchdog.is_overdue(now);
//! ```
