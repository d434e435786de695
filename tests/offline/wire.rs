//! Frames and packets: every limit, and every truncation.

use partywall::wire::startup;

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
