//! The log as a Merkle tree (RFC 6962, section 2.1): its root, and proofs that a record, or an older log, is part of it.

use aws_lc_rs::digest::{self, Context, SHA256};

pub const HASH_BYTES: usize = 32;

pub type Hash = [u8; HASH_BYTES];

/// More than a log of 2^64 records has.
const HASHES_MAX: usize = 64;

/// The hash of one record: of its line without the newline.
pub fn leaf(line: &[u8]) -> Hash {
    hash(&[&[0], line])
}

fn node(left: &Hash, right: &Hash) -> Hash {
    hash(&[&[1], left, right])
}

fn hash(parts: &[&[u8]]) -> Hash {
    let mut context = Context::new(&SHA256);
    parts.iter().for_each(|part| context.update(part));
    finished(&context.finish())
}

fn finished(digest: &digest::Digest) -> Hash {
    let mut hash = [0; HASH_BYTES];
    hash.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
    hash
}

/// The right edge of a tree that grows: the roots of its complete subtrees, the largest first. All that is needed to
/// append, and to know the root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    hashes: Vec<Hash>,
}

impl Frontier {
    /// `None`: a tree of that size has not so many complete subtrees.
    pub fn from_parts(size: u64, hashes: Vec<Hash>) -> Option<Self> {
        (hashes.len() == size.count_ones() as usize && hashes.len() <= HASHES_MAX).then_some(Self { size, hashes })
    }

    pub fn size(&self) -> u64 {
        self.size
    }

    pub fn hashes(&self) -> impl Iterator<Item = &Hash> {
        self.hashes.iter()
    }

    pub fn append(&mut self, leaf: Hash) {
        let mut merged = leaf;
        // Each one at the end of the size, in binary, is a subtree that the new leaf completes.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.hashes.pop() {
                merged = node(&left, &merged);
            }
        }
        self.hashes.push(merged);
        self.size += 1;
    }

    pub fn root(&self) -> Hash {
        let mut from_the_right = self.hashes.iter().rev();
        match from_the_right.next() {
            None => hash(&[]),
            Some(last) => from_the_right.fold(*last, |right, left| node(left, &right)),
        }
    }
}

/// The proof that the leaf at `index` is in the tree of these leaves (section 2.1.1).
pub fn inclusion_proof(index: usize, leaves: &[Hash]) -> Vec<Hash> {
    let mut proof = Vec::new();
    path(index, leaves, &mut proof);
    proof
}

fn path(index: usize, leaves: &[Hash], proof: &mut Vec<Hash>) {
    let Some((left, right)) = halves(leaves) else { return };
    if index < left.len() {
        path(index, left, proof);
        proof.push(root_of(right));
    } else {
        path(index - left.len(), right, proof);
        proof.push(root_of(left));
    }
}

/// The proof that the tree of the first `size` leaves is the beginning of the tree of all (section 2.1.2).
pub fn consistency_proof(size: usize, leaves: &[Hash]) -> Vec<Hash> {
    let mut proof = Vec::new();
    if size > 0 && size < leaves.len() {
        subproof(size, leaves, Known::Yes, &mut proof);
    }
    proof
}

/// Whether the verifier knows the root of the old tree's part already.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    Yes,
    No,
}

fn subproof(size: usize, leaves: &[Hash], known: Known, proof: &mut Vec<Hash>) {
    if size == leaves.len() {
        if known == Known::No {
            proof.push(root_of(leaves));
        }
        return;
    }
    let Some((left, right)) = halves(leaves) else { return };
    if size <= left.len() {
        subproof(size, left, known, proof);
        proof.push(root_of(right));
    } else {
        subproof(size - left.len(), right, Known::No, proof);
        proof.push(root_of(left));
    }
}

/// At the largest power of two below the number of leaves. `None`: fewer than two.
fn halves(leaves: &[Hash]) -> Option<(&[Hash], &[Hash])> {
    let split = leaves.len().checked_sub(1)?.checked_ilog2()?;
    leaves.split_at_checked(1 << split)
}

fn root_of(leaves: &[Hash]) -> Hash {
    let mut tree = Frontier::default();
    leaves.iter().for_each(|leaf| tree.append(*leaf));
    tree.root()
}

/// Whether the proof shows that the leaf stands at `index` in the tree of this size and root (RFC 9162, 2.1.3.2).
pub fn verify_inclusion(leaf: Hash, index: u64, size: u64, proof: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let mut computed = leaf;
    let arrives = climb(index, size - 1, proof, |side, hash| match side {
        Side::Left => computed = node(hash, &computed),
        Side::Right => computed = node(&computed, hash),
    });
    arrives && computed == *root
}

/// Where a proof's hash stands beside what has been computed.
enum Side {
    Left,
    Right,
}

/// Goes from a node of a tree up to its root, a hash of the proof at each step. `false`: there are more hashes than steps, or fewer.
fn climb<'a>(
    mut at: u64,
    mut last: u64,
    proof: impl IntoIterator<Item = &'a Hash>,
    mut step: impl FnMut(Side, &Hash),
) -> bool {
    for hash in proof {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            step(Side::Left, hash);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            step(Side::Right, hash);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0
}

/// Whether the proof shows that the new tree begins with the old one (RFC 9162, 2.1.4.2).
pub fn verify_consistency(old: (u64, &Hash), new: (u64, &Hash), proof: &[Hash]) -> bool {
    let ((old_size, old_root), (new_size, new_root)) = (old, new);
    if old_size == new_size {
        return proof.is_empty() && old_root == new_root;
    }
    if old_size == 0 {
        return proof.is_empty();
    }
    if old_size > new_size {
        return false;
    }
    let (mut at, mut last) = (old_size - 1, new_size - 1);
    while at & 1 == 1 {
        at >>= 1;
        last >>= 1;
    }
    let mut rest = proof.iter();
    // A complete old tree is its own first node, which the proof leaves out.
    let first = if old_size.is_power_of_two() { Some(old_root) } else { rest.next() };
    let Some(first) = first else { return false };
    let (mut of_old, mut of_new) = (*first, *first);
    let arrives = climb(at, last, rest, |side, hash| match side {
        Side::Left => {
            of_old = node(hash, &of_old);
            of_new = node(hash, &of_new);
        }
        Side::Right => of_new = node(&of_new, hash),
    });
    arrives && of_old == *old_root && of_new == *new_root
}

#[cfg(test)]
mod tests;
