//! The structure tree: what each piece of content is, in reading order. Pages come and go; this is what a screen reader follows.

use std::num::{NonZeroU16, NonZeroU32};

use krilla::{
    geom::Rect,
    tagging::{BBox, Identifier, ListNumbering, Node as KrillaNode, TableHeaderScope, Tag, TagGroup, TagKind, TagTree},
};

/// A structure element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NodeId(usize);

/// A place for content inside an element. Painted in several stretches, it keeps its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LeafId(pub usize);

/// What an element is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Document,
    Section,
    Heading {
        level: u16,
        title: String,
    },
    Paragraph,
    List,
    Item,
    ItemBody,
    Table {
        summary: String,
    },
    TableHead,
    TableBody,
    Row,
    /// A head of a column or of a group of columns.
    ColumnHead {
        columns: u32,
        rows: u32,
    },
    RowHead,
    Cell {
        columns: u32,
    },
    Figure {
        alt: String,
    },
    Link,
}

impl Role {
    fn is_cell(&self) -> bool {
        matches!(self, Self::ColumnHead { .. } | Self::RowHead | Self::Cell { .. })
    }
}

#[derive(Debug)]
enum Child {
    Node(NodeId),
    Leaf(LeafId),
}

#[derive(Debug)]
struct Node {
    role: Role,
    language: Option<String>,
    children: Vec<Child>,
}

/// The tree, in an arena.
pub(crate) struct Tags {
    nodes: Vec<Node>,
    leaves: usize,
}

impl Tags {
    /// The root.
    pub(crate) const ROOT: NodeId = NodeId(0);

    pub(crate) fn new() -> Self {
        Self { nodes: vec![Node { role: Role::Document, language: None, children: Vec::new() }], leaves: 0 }
    }

    /// Adds an element at the end of another.
    pub(crate) fn node(&mut self, parent: NodeId, role: Role) -> NodeId {
        let id = NodeId(self.nodes.len());
        self.nodes.push(Node { role, language: None, children: Vec::new() });
        self.nodes[parent.0].children.push(Child::Node(id));
        id
    }

    /// Adds a place for content at the end of an element.
    pub(crate) fn leaf(&mut self, parent: NodeId) -> LeafId {
        let id = LeafId(self.leaves);
        self.leaves += 1;
        self.nodes[parent.0].children.push(Child::Leaf(id));
        id
    }

    /// Adds an element that holds nothing but content.
    pub(crate) fn leaf_in(&mut self, parent: NodeId, role: Role) -> LeafId {
        let node = self.node(parent, role);
        self.leaf(node)
    }

    /// Says the language of an element.
    pub(crate) fn set_language(&mut self, node: NodeId, language: &str) {
        self.nodes[node.0].language = Some(language.to_owned());
    }

    /// How many leaves there are.
    pub(crate) fn leaf_count(&self) -> usize {
        self.leaves
    }

    /// The tree in krilla's terms, with the content that was painted for each leaf and the boxes of figures.
    pub(crate) fn into_tree(self, painted: &[Painted], language: &str) -> TagTree {
        let mut tree = TagTree::new().with_lang(Some(language.to_owned()));
        for child in self.children(Self::ROOT, painted) {
            tree.push(child);
        }
        tree
    }

    fn children(&self, id: NodeId, painted: &[Painted]) -> Vec<KrillaNode> {
        let mut out = Vec::new();
        for child in &self.nodes[id.0].children {
            match child {
                Child::Leaf(leaf) => out.extend(painted[leaf.0].ids.iter().map(|id| KrillaNode::Leaf(*id))),
                Child::Node(node) => {
                    let children = self.children(*node, painted);
                    // An element whose content was never painted, such as a group that turned out empty, is left out;
                    // not so a cell, because rows have as many cells as the table has columns.
                    if !children.is_empty() || self.nodes[node.0].role.is_cell() {
                        out.push(KrillaNode::Group(TagGroup::with_children(self.kind(*node, painted), children)));
                    }
                }
            }
        }
        out
    }

    fn kind(&self, id: NodeId, painted: &[Painted]) -> TagKind {
        let node = &self.nodes[id.0];
        let spans = |n: u32| NonZeroU32::new(n).filter(|n| n.get() > 1);
        let mut kind: TagKind = match &node.role {
            Role::Document | Role::Section => Tag::Section.into(),
            Role::Heading { level, title } => {
                Tag::Hn(NonZeroU16::new(*level).unwrap_or(NonZeroU16::MIN), Some(title.clone())).into()
            }
            Role::Paragraph => Tag::P.into(),
            Role::List => Tag::L(ListNumbering::None).into(),
            Role::Item => Tag::LI.into(),
            Role::ItemBody => Tag::LBody.into(),
            Role::Table { summary } => Tag::Table.with_summary(Some(summary.clone())).into(),
            Role::TableHead => Tag::THead.into(),
            Role::TableBody => Tag::TBody.into(),
            Role::Row => Tag::TR.into(),
            Role::ColumnHead { columns, rows } => {
                Tag::TH(TableHeaderScope::Column).with_col_span(spans(*columns)).with_row_span(spans(*rows)).into()
            }
            Role::RowHead => Tag::TH(TableHeaderScope::Row).into(),
            Role::Cell { columns } => Tag::TD.with_col_span(spans(*columns)).into(),
            Role::Figure { alt } => {
                let first = node
                    .children
                    .iter()
                    .find_map(|child| if let Child::Leaf(leaf) = child { painted[leaf.0].bounds } else { None });
                Tag::Figure(Some(alt.clone())).with_bbox(first.map(|(page, rect)| BBox::new(page, rect))).into()
            }
            Role::Link => Tag::Link.into(),
        };
        if let Some(language) = &node.language {
            kind.as_any_mut().set_lang(Some(language.clone()));
        }
        kind
    }
}

/// What became of a leaf.
#[derive(Clone, Debug, Default)]
pub(crate) struct Painted {
    /// Its stretches of content.
    pub ids: Vec<Identifier>,
    /// The page it is on and the room it takes there; for figures.
    pub bounds: Option<(usize, Rect)>,
}

#[cfg(test)]
impl Tags {
    /// The tree as text: each element with the text of its leaves.
    pub(crate) fn dump(&self, texts: &[String]) -> String {
        let mut out = String::new();
        self.dump_node(Self::ROOT, 0, texts, &mut out);
        out
    }

    fn dump_node(&self, id: NodeId, depth: usize, texts: &[String], out: &mut String) {
        let node = &self.nodes[id.0];
        let name = match &node.role {
            Role::Heading { level, .. } => format!("H{level}"),
            Role::Figure { alt } => format!("Figure [{alt}]"),
            other => format!("{other:?}"),
        };
        let language = node.language.as_ref().map_or_else(String::new, |language| format!(" in {language}"));
        out.extend(["  ".repeat(depth), name, language]);
        for child in &node.children {
            if let Child::Leaf(leaf) = child {
                out.extend([" «", &texts[leaf.0], "»"]);
            }
        }
        out.push('\n');
        for child in &node.children {
            if let Child::Node(node) = child {
                self.dump_node(*node, depth + 1, texts, out);
            }
        }
    }
}
