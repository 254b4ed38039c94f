//! Request, response and event types of rota's API, and its client.
