//! Frames and packets: every limit, and every truncation.

use partywall::wire::frame::{self, FrameError};
use partywall::wire::frontend::{Bind, Format, Parse, Target};
use partywall::wire::{backend, frontend, startup};

use crate::frames::{bind, parse};

#[test]
fn a_cancel_request_carries_keys_of_up_to_256_bytes() {
    let packet = |key: usize| {
        let mut bytes = u32::try_from(12 + key).unwrap().to_be_bytes().to_vec();
        bytes.extend(80_877_102u32.to_be_bytes());
        bytes.extend(7u32.to_be_bytes());
        bytes.extend(vec![1; key]);
        bytes
    };
    for key in [4, 32, 256] {
        let bytes = packet(key);
        let (read, length) = startup::read(&bytes, 10_000).unwrap().unwrap();
        assert_eq!(read, startup::Packet::Cancel { process_id: 7, secret: &vec![1; key] });
        assert_eq!(length, bytes.len());
    }
    for key in [0, 3, 257] {
        assert!(startup::read(&packet(key), 10_000).is_err(), "{key}");
    }
}

#[test]
fn each_type_has_postgresqls_limit() {
    let frontend = |kind: u8, length: u32| {
        let header = [&[kind][..], &length.to_be_bytes()].concat();
        frame::frontend(&header).map(|header| header.unwrap().frame_bytes)
    };
    for kind in *b"QPBFd" {
        assert_eq!(frontend(kind, 0x3fff_fffe), Ok(0x3fff_ffff));
        assert_eq!(frontend(kind, 0x3fff_ffff), Err(FrameError::InvalidLength));
    }
    for kind in *b"DCESHXcf" {
        assert_eq!(frontend(kind, 10_000), Ok(10_001));
        assert_eq!(frontend(kind, 10_001), Err(FrameError::InvalidLength));
    }
    for kind in *b"QPBFdDCESHXcf" {
        assert_eq!(frontend(kind, 4), Ok(5));
        assert_eq!(frontend(kind, 3), Err(FrameError::InvalidLength));
    }
    for length in [30_001u32, 0x7fff_ffff] {
        let header = |kind: u8| frame::backend(&[&[kind][..], &length.to_be_bytes()].concat());
        assert!(header(b'D').is_ok() && header(b'E').is_ok() && header(b't').is_ok());
        assert!(header(b'Z').is_err() && header(b'C').is_err());
    }
    assert!(frame::backend(b"D\x80\0\0\0").is_err());
}

#[test]
fn parse_and_bind_are_read_whole_or_not_at_all() {
    let message = parse("name", "SELECT $1", &[23, 0, 2950]);
    let body = &message[5..];
    let read = Parse::read(body).unwrap();
    assert_eq!((read.statement, read.sql), (&b"name"[..], &b"SELECT $1"[..]));
    assert_eq!(read.parameter_types().collect::<Vec<_>>(), [23, 0, 2950]);
    (0..body.len()).for_each(|length| assert!(Parse::read(&body[..length]).is_err(), "{length}"));
    assert!(Parse::read(&[body, b"\0"].concat()).is_err());

    let message = bind("p", "s", &[1, 0], &[Some(b"\0\x01"), None]);
    let body = &message[5..];
    let read = Bind::read(body).unwrap();
    assert_eq!((read.portal, read.statement, read.parameter_count), (&b"p"[..], &b"s"[..], 2));
    assert_eq!((read.format(1), read.format(2), read.format(0)), (Some(Format::Binary), Some(Format::Text), None));
    assert_eq!(read.values().collect::<Vec<_>>(), [Some(&b"\0\x01"[..]), None]);
    (0..body.len()).for_each(|length| assert!(Bind::read(&body[..length]).is_err(), "{length}"));
    assert!(Bind::read(&[body, b"\0"].concat()).is_err());
    // A length below -1 is no NULL.
    let wrong = [&b"\0\0\0\0\0\x01"[..], &(-2i32).to_be_bytes(), b"\0\0"].concat();
    assert!(Bind::read(&wrong).is_err());
}

#[test]
fn small_messages_end_where_they_say() {
    assert_eq!(frontend::query(b"SELECT 1\0"), Ok(&b"SELECT 1"[..]));
    assert_eq!(frontend::target(b"Sname\0"), Ok(Target::Statement(b"name")));
    assert_eq!(frontend::target(b"P\0"), Ok(Target::Portal(b"")));
    assert_eq!(frontend::execute(b"p\0\0\0\0\x07"), Ok(&b"p"[..]));
    for body in [&b""[..], b"SELECT 1", b"SELECT 1\0\0", b"\0x"] {
        assert!(frontend::query(body).is_err(), "{body:?}");
    }
    for body in [&b""[..], b"S", b"Xname\0", b"Sname", b"S\0\0"] {
        assert!(frontend::target(body).is_err(), "{body:?}");
    }
    for body in [&b""[..], b"p\0", b"p\0\0\0\0", b"p\0\0\0\0\0\0"] {
        assert!(frontend::execute(body).is_err(), "{body:?}");
    }
}

#[test]
fn tags_are_counted_where_they_write() {
    let written = |tag: &str| backend::command_complete(format!("{tag}\0").as_bytes()).unwrap().rows_written();
    assert_eq!(written("INSERT 0 5"), Some(5));
    assert_eq!(written("UPDATE 0"), Some(0));
    assert_eq!(written("MERGE 18446744073709551615"), Some(u64::MAX));
    for tag in ["SELECT 5", "COPY 5", "BEGIN", "INSERT", "INSERT 0 x", "INSERT 0 99999999999999999999", "UPDATED 5", ""]
    {
        assert_eq!(written(tag), None, "{tag}");
    }
    assert_eq!(backend::command_complete(b"COPY 7\0").unwrap().rows_copied(), Some(7));
    assert!(backend::command_complete(b"COPY 7").is_err());
}

#[test]
fn fields_of_any_bytes_are_walked_to_an_end() {
    let all = |body: &[u8]| backend::fields(body).map(|(code, value)| (code, value.to_vec())).collect::<Vec<_>>();
    assert_eq!(all(b"C42601\0Mno\0\0"), [(b'C', b"42601".to_vec()), (b'M', b"no".to_vec())]);
    // Behind the end nothing counts; without one, the last value is what there is of it.
    assert_eq!(all(b"\0C42601\0"), []);
    assert_eq!(all(b"Mcut off"), [(b'M', b"cut off".to_vec())]);
    assert_eq!(all(b"M"), [(b'M', Vec::new())]);
    assert_eq!(all(b""), []);
}
