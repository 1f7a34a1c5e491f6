//! What is left of a server when all that it is for is taken out: actix-web and SQLite, one row by its key
//! with each request, reads on the worker's own connection, writes by one thread that commits in groups with
//! a flush. Same library versions, same durability, same number of threads.

use std::cell::RefCell;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use actix_web::web::{Data, Path as FromPath};
use actix_web::{App, HttpResponse, HttpServer, web};
use diesel::connection::SimpleConnection as _;
use diesel::{
    Connection as _, ExpressionMethods as _, QueryDsl as _, RunQueryDsl as _, SqliteConnection, insert_into,
};
use testkit::http::{AnswerBody, Connection, Response, Timeouts};
use tokio::sync::oneshot;

use crate::report::Floor;
use crate::statistics::Statistics;

/// Size of a row, in bytes: about an account's.
const BODY_BYTES: usize = 1100;
/// Writes of one commit at most.
const GROUP: usize = 64;
/// Worker threads, as many as the server has on two cores.
const WORKERS: usize = 2;

thread_local! {
    static READER: RefCell<Option<SqliteConnection>> = const { RefCell::new(None) };
}

/// One write: the key, the row, and whom to tell.
type Job = (String, String, oneshot::Sender<()>);

// Queries of this form are prepared once per connection, as the server's are.
diesel::table! {
    row (id) {
        id -> Text,
        body -> Text,
    }
}

/// Reads and writes by key, `stored` rows before, in a file of its own in `folder`.
pub fn measure(folder: &Path, stored: u64, connections: u16, duration: Duration) -> [Floor; 2] {
    let path = folder.join(format!("bench-bare-{}.db", std::process::id()));
    fill(&path, stored);
    let address = serve(path.clone());
    let read = ask_all(address, connections, duration, move |number| {
        let id = id(scramble(number) % stored.max(1));
        format!("GET /row/{id} HTTP/1.1\r\nHost: bare\r\nAccept: application/fhir+json\r\n\r\n")
    });
    let write = ask_all(address, connections, duration, move |number| {
        let (id, body) = (id(stored + number), body(number));
        let length = body.len();
        format!("PUT /row/{id} HTTP/1.1\r\nHost: bare\r\nContent-Length: {length}\r\n\r\n{body}")
    });
    for end in ["", "-wal", "-shm"] {
        let mut file = path.clone().into_os_string();
        file.push(end);
        // The connections stay open until the process ends; an unlinked file goes with them.
        let _ = std::fs::remove_file(file);
    }
    [
        Floor::new("floor-read", connections, duration, &read),
        Floor::new("floor-write", connections, duration, &write),
    ]
}

fn ask_all(
    address: SocketAddr,
    connections: u16,
    duration: Duration,
    request: impl Fn(u64) -> String + Copy + Send + Sync,
) -> Statistics {
    let stop_at = Instant::now() + duration;
    let mut statistics = Statistics::default();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..u64::from(connections))
            .map(|first| scope.spawn(move || ask(address, stop_at, first, u64::from(connections), request)))
            .collect();
        for one in threads {
            statistics.merge(one.join().expect("floor threads do not panic"));
        }
    });
    statistics
}

fn ask(
    address: SocketAddr,
    stop_at: Instant,
    first: u64,
    step: u64,
    request: impl Fn(u64) -> String,
) -> Statistics {
    let mut statistics = Statistics::default();
    let mut connection = Connection::open(address, Timeouts::default()).expect("the bare server listens");
    let mut response = Response::default();
    for number in (first..).step_by(usize::try_from(step).unwrap_or(1)) {
        let request = request(number);
        let sent = Instant::now();
        if sent >= stop_at {
            break;
        }
        connection
            .exchange(request.as_bytes(), AnswerBody::Announced, &mut response)
            .expect("the bare server answers");
        assert_eq!(response.status, 200, "the bare server finds and writes every row");
        statistics.answered(response.status, sent.elapsed());
    }
    statistics
}

fn serve(path: PathBuf) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port is free");
    let address = listener.local_addr().expect("a bound port has an address");
    let (jobs, queue) = channel::<Job>();
    let mut writer = open(&path);
    thread::spawn(move || write_groups(&mut writer, &queue));
    let state = Data::new((path, jobs));
    thread::spawn(move || {
        let server = HttpServer::new(move || {
            let resource = web::resource("/row/{id}").get(read).put(write);
            App::new().app_data(Data::clone(&state)).service(resource)
        });
        let server = server.workers(WORKERS).disable_signals();
        actix_web::rt::System::new().block_on(server.listen(listener).expect("the port is bound").run())
    });
    address
}

async fn read(state: Data<(PathBuf, Sender<Job>)>, id: FromPath<String>) -> HttpResponse {
    let body = READER.with_borrow_mut(|reader| {
        let connection = reader.get_or_insert_with(|| open(&state.0));
        row::table
            .select(row::body)
            .filter(row::id.eq(id.as_str()))
            .first::<String>(connection)
            .expect("the row is there")
    });
    HttpResponse::Ok()
        .content_type("application/fhir+json")
        .body(body)
}

async fn write(state: Data<(PathBuf, Sender<Job>)>, id: FromPath<String>, body: String) -> HttpResponse {
    let (done, written) = oneshot::channel();
    state
        .1
        .send((id.into_inner(), body, done))
        .expect("the writer lives");
    written.await.expect("the writer lives");
    HttpResponse::Ok().finish()
}

fn write_groups(connection: &mut SqliteConnection, queue: &Receiver<Job>) {
    while let Ok(first) = queue.recv() {
        let group: Vec<Job> = std::iter::once(first)
            .chain(queue.try_iter().take(GROUP - 1))
            .collect();
        connection
            .immediate_transaction(|connection| {
                group
                    .iter()
                    .try_for_each(|(id, body, _)| insert(connection, id, body))
            })
            .expect("the bare file can be written");
        for (_, _, done) in group {
            done.send(()).expect("the handler waits");
        }
    }
}

fn insert(connection: &mut SqliteConnection, id: &str, body: &str) -> diesel::QueryResult<()> {
    insert_into(row::table)
        .values((row::id.eq(id), row::body.eq(body)))
        .execute(connection)
        .map(|_| ())
}

fn open(path: &Path) -> SqliteConnection {
    let path = path.to_str().expect("a temporary path is text");
    let mut connection = SqliteConnection::establish(path).expect("the bare file opens");
    connection
        .batch_execute(
            "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
             PRAGMA cache_size = -32768; PRAGMA mmap_size = 1073741824;",
        )
        .expect("the bare file is SQLite");
    connection
}

fn fill(path: &Path, stored: u64) {
    let mut connection = open(path);
    connection
        .batch_execute("CREATE TABLE row (id TEXT NOT NULL UNIQUE, body TEXT NOT NULL)")
        .expect("the bare file is new");
    connection
        .immediate_transaction(|connection| {
            (0..stored).try_for_each(|number| insert(connection, &id(number), &body(number)))
        })
        .expect("the bare file can be written");
}

fn id(number: u64) -> String {
    format!("{:016x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

fn scramble(number: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20
}

fn body(number: u64) -> String {
    format!("{number:0>BODY_BYTES$}")
}
