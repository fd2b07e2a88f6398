//! Floods a subject: publishes the messages of a file again and again, for some seconds as fast as a line of a
//! given speed takes it, or as the server reads.
//!
//! `flooder PORT SUBJECT FILE SECONDS BYTES_PER_SECOND` (0 for no such line); the file holds messages, each after its length (4 bytes, big-endian). A process of
//! its own, so that a test can give it the lowest priority: in a province a flood comes from another machine.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [port, subject, file, seconds, speed] = &args[..] else {
        panic!("flooder PORT SUBJECT FILE SECONDS BYTES_PER_SECOND")
    };
    let speed: u64 = speed.parse().expect("bytes a second");
    let messages = messages(&std::fs::read(file).expect("the messages"));
    let port: u16 = port.parse().expect("a port");
    let until = Instant::now() + Duration::from_secs(seconds.parse().expect("seconds"));
    let mut stream = connected(port);
    let (begun, mut sent, mut bytes) = (Instant::now(), 0_u64, 0_u64);
    while Instant::now() < until {
        for message in &messages {
            let head = format!("PUB {subject} {}\r\n", message.len());
            let whole = [head.as_bytes(), message, b"\r\n"].concat();
            if stream.write_all(&whole).is_err() {
                stream = connected(port); // the server has had enough of it
                continue;
            }
            (sent, bytes) = (sent + 1, bytes + whole.len() as u64);
            while speed > 0 && bytes as f64 > begun.elapsed().as_secs_f64() * speed as f64 {
                std::thread::park_timeout(Duration::from_millis(1));
            }
        }
    }
    println!("{sent}");
}

fn connected(port: u16) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("nats-server listens");
    stream.write_all(b"CONNECT {\"verbose\":false,\"pedantic\":false}\r\n").expect("a greeting");
    answer_pings(stream.try_clone().expect("a second handle"));
    stream
}

/// A client that does not answer is cut off.
fn answer_pings(mut stream: TcpStream) {
    std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(read) = stream.read(&mut bytes) {
            if read == 0 {
                return;
            }
            if bytes[..read].windows(4).any(|w| w == b"PING") {
                let _ = stream.write_all(b"PONG\r\n");
            }
        }
    });
}

fn messages(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    while let Some((len, rest)) = bytes.split_first_chunk::<4>() {
        let (message, rest) = rest.split_at(u32::from_be_bytes(*len) as usize);
        out.push(message.to_vec());
        bytes = rest;
    }
    out
}
