use std::{fs, path::Path};

use proptest::prelude::*;
use serde::Deserialize;

use super::*;

fn leaves(count: u64) -> Vec<Hash> {
    (0..count).map(|n| leaf_hash(&n.to_be_bytes())).collect()
}

/// The definition of RFC 6962 section 2.1, word for word.
fn mth(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [one] => *one,
        many => {
            let (left, right) = many.split_at(split(many.len() as u64) as usize);
            node_hash(&mth(left), &mth(right))
        }
    }
}

fn answer(leaves: &[Hash], spans: &[Span]) -> Vec<Hash> {
    spans.iter().map(|span| mth(&leaves[span.start as usize..span.end as usize])).collect()
}

#[test]
fn known_roots_come_out() {
    // The eight leaves that implementations of RFC 6962 have long been compared on.
    let inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
    let roots = [
        (0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
        (3, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
        (5, "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"),
        (8, "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"),
    ];
    for (size, expect) in roots {
        let leaves = inputs.iter().take(size).map(|input| leaf_hash(&hex::decode(input).unwrap()));
        assert_eq!(CompactRange::over(leaves).root().to_string(), expect);
    }
}

#[test]
fn the_root_grows_as_defined() {
    let leaves = leaves(300);
    let mut range = CompactRange::default();
    for (size, leaf) in leaves.iter().enumerate() {
        assert_eq!(range.root(), mth(&leaves[..size]));
        range.push(*leaf);
    }
}

#[test]
fn every_leaf_of_every_tree_can_be_shown() {
    let leaves = leaves(150);
    for size in 1..=leaves.len() as u64 {
        let root = mth(&leaves[..size as usize]);
        for index in 0..size {
            let proof = answer(&leaves, &inclusion_spans(index, size).unwrap());
            verify_inclusion(index, size, &leaves[index as usize], &proof, &root).unwrap();
        }
        assert_eq!(inclusion_spans(size, size), None);
    }
}

#[test]
fn every_tree_can_be_shown_to_extend_every_smaller_one() {
    let leaves = leaves(130);
    let roots: Vec<Hash> = (0..=leaves.len()).map(|size| mth(&leaves[..size])).collect();
    for new in 1..=leaves.len() as u64 {
        for old in 1..=new {
            let proof = answer(&leaves, &consistency_spans(old, new).unwrap());
            verify_consistency(old, new, &roots[old as usize], &roots[new as usize], &proof).unwrap();
        }
    }
    assert_eq!(consistency_spans(0, 5), None);
    assert_eq!(consistency_spans(6, 5), None);
}

fn flip(hash: &Hash, bit: usize) -> Hash {
    let mut bytes = hash.0;
    bytes[bit / 8] ^= 1 << (bit % 8);
    Hash(bytes)
}

proptest! {
    #[test]
    fn a_bent_inclusion_proof_is_refused(size in 2_u64..300, at in any::<prop::sample::Index>(), bit in 0_usize..256, which in any::<prop::sample::Index>()) {
        let leaves = leaves(size);
        let root = mth(&leaves);
        let index = at.index(size as usize) as u64;
        let leaf = leaves[index as usize];
        let proof = answer(&leaves, &inclusion_spans(index, size).unwrap());
        prop_assert!(verify_inclusion(index, size, &leaf, &proof, &root).is_ok());
        prop_assert!(verify_inclusion(index, size, &flip(&leaf, bit), &proof, &root).is_err());
        prop_assert!(verify_inclusion(index, size, &leaf, &proof, &flip(&root, bit)).is_err());
        prop_assert!(verify_inclusion(index ^ 1, size, &leaf, &proof, &root).is_err());
        prop_assert!(verify_inclusion(index, index, &leaf, &proof, &root).is_err());
        let mut bent = proof.clone();
        let which = which.index(bent.len());
        bent[which] = flip(&bent[which], bit);
        prop_assert!(verify_inclusion(index, size, &leaf, &bent, &root).is_err());
        prop_assert!(verify_inclusion(index, size, &leaf, &proof[1..], &root).is_err());
        prop_assert!(verify_inclusion(index, size, &leaf, &[proof, vec![root]].concat(), &root).is_err());
    }

    #[test]
    fn a_bent_consistency_proof_is_refused(old in 1_u64..200, more in 1_u64..100, bit in 0_usize..256, which in any::<prop::sample::Index>()) {
        let leaves = leaves(old + more);
        let (of_old, of_new) = (mth(&leaves[..old as usize]), mth(&leaves));
        let proof = answer(&leaves, &consistency_spans(old, old + more).unwrap());
        let check = |a: &Hash, b: &Hash, proof: &[Hash]| verify_consistency(old, old + more, a, b, proof);
        prop_assert!(check(&of_old, &of_new, &proof).is_ok());
        prop_assert!(check(&flip(&of_old, bit), &of_new, &proof).is_err());
        prop_assert!(check(&of_old, &flip(&of_new, bit), &proof).is_err());
        prop_assert!(check(&of_new, &of_old, &proof).is_err());
        let mut bent = proof.clone();
        let which = which.index(bent.len());
        bent[which] = flip(&bent[which], bit);
        prop_assert!(check(&of_old, &of_new, &bent).is_err());
        prop_assert!(check(&of_old, &of_new, &proof[1..]).is_err());
        prop_assert!(check(&of_old, &of_new, &[proof, vec![of_new]].concat()).is_err());
    }
}

/// A proof of `services/ledger/vectors`: made and judged by a program that shares no code with this one.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum Judged {
    Inclusion {
        what: String,
        holds: bool,
        index: u64,
        size: u64,
        leaf: String,
        root: String,
        proof: Vec<String>,
    },
    Consistency {
        what: String,
        holds: bool,
        old: u64,
        new: u64,
        old_root: String,
        new_root: String,
        proof: Vec<String>,
    },
}

fn from_hex(text: &str) -> Hash {
    Hash(hex::decode(text).unwrap().try_into().unwrap())
}

#[test]
fn what_another_program_judged_is_judged_alike() {
    let vectors: Vec<Judged> = serde_json::from_str(include_str!("../../vectors/vectors.json")).unwrap();
    let (mut accepted, mut refused) = (0, 0);
    for vector in &vectors {
        let path = |proof: &[String]| proof.iter().map(|hash| from_hex(hash)).collect::<Vec<_>>();
        let (told, what, found) = match vector {
            Judged::Inclusion { what, holds, index, size, leaf, root, proof } => {
                let found = verify_inclusion(*index, *size, &from_hex(leaf), &path(proof), &from_hex(root));
                (*holds, format!("leaf {index} of {size}: {what}"), found)
            }
            Judged::Consistency { what, holds, old, new, old_root, new_root, proof } => {
                let found = verify_consistency(*old, *new, &from_hex(old_root), &from_hex(new_root), &path(proof));
                (*holds, format!("{old} within {new}: {what}"), found)
            }
        };
        assert_eq!(found.is_ok(), told, "{what}");
        if told { accepted += 1 } else { refused += 1 }
    }
    assert!(accepted >= 28 && refused >= 500, "{accepted} good and {refused} harmed proofs");
}

/// Published test vectors of proofs, where they lie beside the project; the tests above cover the same kinds of damage.
#[test]
fn published_vectors_are_judged_alike() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/merkle-proofs");
    let mut judged = 0;
    for file in json_files(&folder) {
        let vector: Vector = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        let accepted = vector.is_accepted();
        assert_eq!(accepted, !vector.want_err, "{}: {}", file.display(), vector.desc);
        judged += 1;
    }
    assert!(judged == 196 || !folder.exists(), "{judged} vectors");
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Vector {
    leaf_idx: u64,
    tree_size: u64,
    root: Option<String>,
    leaf_hash: Option<String>,
    size1: u64,
    size2: u64,
    root1: Option<String>,
    root2: Option<String>,
    proof: Option<Vec<String>>,
    desc: String,
    want_err: bool,
}

impl Vector {
    fn is_accepted(&self) -> bool {
        let hash = |text: &Option<String>| Hash::from_base64(text.as_deref().unwrap_or_default());
        let proof: Option<Vec<Hash>> = self.proof.iter().flatten().map(|text| Hash::from_base64(text)).collect();
        let Some(proof) = proof else {
            return false;
        };
        if self.leaf_hash.is_some() {
            // What is no hash of 32 bytes cannot even be asked about.
            let (Some(leaf), Some(root)) = (hash(&self.leaf_hash), hash(&self.root)) else {
                return false;
            };
            return verify_inclusion(self.leaf_idx, self.tree_size, &leaf, &proof, &root).is_ok();
        }
        // Where only the sizes matter, these vectors hold short texts for roots; a hash of the text stands for it.
        let stand_in = |text: &Option<String>| {
            hash(text).unwrap_or_else(|| Hash::of_parts(&[b"root", format!("{text:?}").as_bytes()]))
        };
        verify_consistency(self.size1, self.size2, &stand_in(&self.root1), &stand_in(&self.root2), &proof).is_ok()
    }
}

fn json_files(folder: &Path) -> Vec<std::path::PathBuf> {
    let Ok(listed) = fs::read_dir(folder) else {
        return Vec::new();
    };
    listed
        .flat_map(|entry| {
            let path = entry.unwrap().path();
            match path.extension() {
                _ if path.is_dir() => json_files(&path),
                Some(extension) if extension == "json" => vec![path],
                _ => Vec::new(),
            }
        })
        .collect()
}
