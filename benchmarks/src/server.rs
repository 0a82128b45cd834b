//! An HTTP server whose answers are a function's.

use std::convert::Infallible;
use std::error::Error;
use std::io;

use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

/// Answers all who connect, each beside the others, until connecting fails; returns why it did.
pub async fn serve<A, F, B>(listener: TcpListener, answer: A) -> io::Error
where
    A: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    loop {
        match listener.accept().await {
            Ok((connection, _)) => tokio::spawn(converse(connection, answer.clone())),
            Err(error) => return error,
        };
    }
}

async fn converse<A, F, B>(connection: TcpStream, answer: A)
where
    A: Fn(Request<Incoming>) -> F + Send,
    F: Future<Output = Response<B>> + Send,
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    connection.set_nodelay(true).ok();
    let answer = service_fn(move |request| {
        let answer = answer(request);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    // One who hangs up has got what it wanted, or says itself what it misses.
    http1::Builder::new()
        .serve_connection(TokioIo::new(connection), answer)
        .await
        .ok();
}
