//! The tree against RFC 6962's own definition, and proofs of every leaf and every older size, each also spoilt.

use crate::audit::tree::{
    Frontier, Hash, consistency_proof, hash, inclusion_proof, leaf, node, verify_consistency, verify_inclusion,
};

fn leaves(count: u64) -> Vec<Hash> {
    (0..count).map(|number| leaf(&number.to_be_bytes())).collect()
}

/// MTH of section 2.1, as it is written.
fn defined(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => hash(&[]),
        [one] => *one,
        _ => {
            let split = (leaves.len() as u64).next_power_of_two() as usize / 2;
            node(&defined(&leaves[..split]), &defined(&leaves[split..]))
        }
    }
}

#[test]
fn hashes_are_those_of_certificate_transparency() {
    let hex = |hash: Hash| hash.map(|byte| format!("{byte:02x}")).concat();
    // From the test vectors of RFC 6962's reference implementation.
    assert_eq!(hex(Frontier::default().root()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_eq!(hex(leaf(b"")), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
    assert_eq!(hex(node(&leaf(b""), &leaf(&[0]))), "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125");
}

#[test]
fn a_growing_tree_has_the_root_of_the_definition() {
    let all = leaves(200);
    let mut tree = Frontier::default();
    for size in 0..all.len() {
        assert_eq!(tree.root(), defined(&all[..size]), "{size}");
        let copy = Frontier::from_parts(tree.size(), tree.hashes().copied().collect());
        assert_eq!(copy.as_ref(), Some(&tree));
        tree.append(all[size]);
    }
    assert_eq!(Frontier::from_parts(3, vec![[0; 32]]), None);
}

#[test]
fn every_record_can_be_proved_and_no_other() {
    for size in 1..70_usize {
        let all = leaves(size as u64);
        let root = defined(&all);
        for index in 0..size {
            let proof = inclusion_proof(index, &all);
            let holds = |leaf, at: usize, of: usize, proof: &[Hash], root: &Hash| {
                verify_inclusion(leaf, at as u64, of as u64, proof, root)
            };
            assert!(holds(all[index], index, size, &proof, &root), "{index} of {size}");
            assert!(!holds(leaf(b"another"), index, size, &proof, &root));
            assert!(size == 1 || !holds(all[index], (index + 1) % size, size, &proof, &root));
            assert!(!holds(all[index], index, size, &proof, &leaf(b"another root")));
            assert!(!holds(all[index], size, size, &proof, &root));
            for spoilt in 0..proof.len() {
                let mut other = proof.clone();
                other[spoilt][0] ^= 1;
                assert!(!holds(all[index], index, size, &other, &root));
                other.remove(spoilt);
                assert!(!holds(all[index], index, size, &other, &root));
            }
        }
    }
}

#[test]
fn a_log_that_only_grew_can_be_proved_and_no_other() {
    for new in 1..70_usize {
        let all = leaves(new as u64);
        let new_root = defined(&all);
        for old in 0..=new {
            let old_root = defined(&all[..old]);
            let proof = consistency_proof(old, &all);
            let holds = |old_root: &Hash, proof: &[Hash]| {
                verify_consistency((old as u64, old_root), (new as u64, &new_root), proof)
            };
            assert!(holds(&old_root, &proof), "{old} of {new}");
            assert!(old == 0 || !holds(&leaf(b"rewritten"), &proof), "{old} of {new}");
            for spoilt in 0..proof.len() {
                let mut other = proof.clone();
                other[spoilt][0] ^= 1;
                assert!(!holds(&old_root, &other));
            }
            assert!(old == new || !verify_consistency((new as u64, &new_root), (old as u64, &old_root), &proof));
        }
    }
}
