//! From element values to a checked fact.

use model::{Certification, Domain, Edition, Fact, NaturalKey, Payload, Period, Restriction, SchoolYear, Value};

use crate::definition;

/// Why values make no fact. A finding in intake; never the value itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FactError {
    /// The domain has no such kind of fact.
    #[error("the domain {domain} has no fact of kind {kind:?}")]
    UnknownKind {
        /// The domain.
        domain: Domain,
        /// The kind asked for.
        kind: String,
    },
    /// The domain has no such element.
    #[error("the domain {domain} has no element {element:?}")]
    UnknownElement {
        /// The domain.
        domain: Domain,
        /// The element named.
        element: String,
    },
    /// A value is not of its element's kind.
    #[error("the value of {domain}.{element} is not of kind {kind}")]
    WrongKind {
        /// The domain.
        domain: Domain,
        /// The element.
        element: String,
        /// The kind it should have.
        kind: String,
    },
}

/// Collects the values of one fact and checks them against the domain's definition.
#[derive(Clone, Debug)]
pub struct FactBuilder {
    domain: Domain,
    kind: String,
    line: u32,
    reported_on: Option<chrono::NaiveDate>,
    school_year: Option<SchoolYear>,
    valid: Period,
    lea: Option<String>,
    facility: Option<String>,
    certification: Certification,
    restriction: Restriction,
    edition: Option<Edition>,
    extra_key: Vec<String>,
    payload: Payload,
}

impl FactBuilder {
    /// Begins a fact of a kind, found on a line.
    pub fn new(domain: Domain, kind: &str, line: u32) -> Self {
        Self {
            domain,
            kind: kind.to_owned(),
            line,
            reported_on: None,
            school_year: None,
            valid: Period::ALWAYS,
            lea: None,
            facility: None,
            certification: Certification::Certified,
            restriction: Restriction::None,
            edition: None,
            extra_key: Vec::new(),
            payload: Payload::new(),
        }
    }

    /// Sets an element.
    pub fn set(&mut self, element: &str, value: Value) -> &mut Self {
        self.payload.insert(element.to_owned(), value);
        self
    }

    /// Sets an element if there is a value.
    pub fn set_some(&mut self, element: &str, value: Option<Value>) -> &mut Self {
        if let Some(value) = value {
            self.payload.insert(element.to_owned(), value);
        }
        self
    }

    /// Sets the school year it is about, in the envelope and as element where the domain has one.
    pub fn school_year(&mut self, year: SchoolYear) -> &mut Self {
        self.school_year = Some(year);
        if definition(self.domain).find_element("school_year").is_some() {
            self.payload.insert("school_year".to_owned(), Value::Text(year.to_string()));
        }
        self
    }

    /// Sets the days it is about.
    pub const fn valid(&mut self, period: Period) -> &mut Self {
        self.valid = period;
        self
    }

    /// Sets the day the source gives for its report.
    pub const fn reported_on(&mut self, day: Option<chrono::NaiveDate>) -> &mut Self {
        self.reported_on = day;
        self
    }

    /// Sets the reporting district.
    pub fn lea(&mut self, code: &str) -> &mut Self {
        self.lea = Some(code.to_owned());
        self.payload.insert("local_education_agency_id".to_owned(), Value::Text(code.to_owned()));
        self
    }

    /// Sets the facility.
    pub fn facility(&mut self, code: &str) -> &mut Self {
        self.facility = Some(code.to_owned());
        self.payload.insert("school_id".to_owned(), Value::Text(code.to_owned()));
        self
    }

    /// Sets the certification.
    pub const fn certification(&mut self, certification: Certification) -> &mut Self {
        self.certification = certification;
        self
    }

    /// Sets a restriction the source put on it.
    pub const fn restriction(&mut self, restriction: Restriction) -> &mut Self {
        self.restriction = restriction;
        self
    }

    /// Sets the edition of its report.
    pub fn edition(&mut self, edition: Option<Edition>) -> &mut Self {
        self.edition = edition;
        self
    }

    /// Adds a part to the natural key that is no element (a source's own record id, for example).
    pub fn key_part(&mut self, part: &str) -> &mut Self {
        self.extra_key.push(part.to_owned());
        self
    }

    /// The value of an element set so far.
    pub fn find(&self, element: &str) -> Option<&Value> {
        self.payload.get(element)
    }

    /// Checks the values and makes the fact; its natural key is built from the kind's key elements.
    ///
    /// The student domain keeps the reporting district in the envelope only, so its key reads it there.
    pub fn build(&self) -> Result<Fact, FactError> {
        self.clone().into_fact()
    }

    /// [`FactBuilder::build`] for a builder that is not needed again.
    pub fn into_fact(mut self) -> Result<Fact, FactError> {
        let domain = self.domain;
        let kind = definition(domain)
            .find_kind(&self.kind)
            .ok_or_else(|| FactError::UnknownKind { domain, kind: self.kind.clone() })?;
        let mut parts: Vec<String> = kind.key.iter().map(|element| self.key_value(element)).collect();
        parts.append(&mut self.extra_key);
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let natural_key = NaturalKey::of(domain, &self.kind, &parts);
        if domain == Domain::Student {
            self.payload.remove("local_education_agency_id");
            self.payload.remove("school_id");
        }
        let fact = Fact {
            domain,
            kind: self.kind,
            natural_key,
            school_year: self.school_year,
            valid: self.valid,
            lea: self.lea,
            facility: self.facility,
            certification: self.certification,
            restriction: self.restriction,
            edition: self.edition,
            line: self.line,
            reported_on: self.reported_on,
            payload: self.payload,
        };
        check(&fact)?;
        Ok(fact)
    }

    fn key_value(&self, element: &str) -> String {
        let from_envelope = match element {
            "school_year" => self.school_year.map(|year| year.to_string()),
            "local_education_agency_id" => self.lea.clone(),
            "school_id" => self.facility.clone(),
            _ => None,
        };
        from_envelope.or_else(|| self.payload.get(element).map(Value::to_plain)).unwrap_or_default()
    }
}

/// Checks that a fact's payload holds known elements of the right kinds only: an unknown element could never be
/// named by an agreement, so it is never stored.
pub fn check(fact: &Fact) -> Result<(), FactError> {
    let domain = fact.domain;
    for (name, value) in &fact.payload {
        let element = definition(domain)
            .find_element(name)
            .ok_or_else(|| FactError::UnknownElement { domain, element: name.clone() })?;
        if !value.is(element.kind) {
            return Err(FactError::WrongKind { domain, element: name.clone(), kind: format!("{:?}", element.kind) });
        }
    }
    Ok(())
}
