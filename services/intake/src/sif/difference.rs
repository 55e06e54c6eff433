//! What happened between two nights: the events that make yesterday's contacts today's.

use std::collections::BTreeMap;

use super::stream::Action;
use crate::xml::Node;

/// Contacts by RefId.
pub(crate) type Contacts = BTreeMap<String, Node>;

/// One event.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Event {
    pub action: Action,
    /// The object as it is now; of a deleted one, its identifiers.
    pub object: Node,
}

/// The events from one set to the next: deletes, then changes, then adds, each by RefId.
pub(crate) fn difference(before: &Contacts, now: &Contacts) -> Vec<Event> {
    let deleted = before.iter().filter(|(id, _)| !now.contains_key(*id));
    let deleted = deleted.map(|(_, object)| Event { action: Action::Delete, object: identity(object) });
    let kept = now.iter().filter_map(|(id, object)| Some((before.get(id)?, object)));
    let changed = kept.filter(|(old, new)| old != new);
    let changed = changed.map(|(_, object)| Event { action: Action::Change, object: object.clone() });
    let added = now.iter().filter(|(id, _)| !before.contains_key(*id));
    let added = added.map(|(_, object)| Event { action: Action::Add, object: object.clone() });
    deleted.chain(changed).chain(added).collect()
}

/// The set after the events. An event about an object that is not there as expected is carried out all the same: what it
/// says is how things are now.
#[cfg(test)]
pub(crate) fn apply(mut contacts: Contacts, events: &[Event]) -> Contacts {
    for event in events {
        let id = event.object.attribute("RefId").unwrap_or_default().to_owned();
        match event.action {
            Action::Delete => {
                contacts.remove(&id);
            }
            Action::Change | Action::Add => {
                contacts.insert(id, event.object.clone());
            }
        }
    }
    contacts
}

fn identity(object: &Node) -> Node {
    Node::new(object.name.clone(), object.place, object.attributes.clone())
}
