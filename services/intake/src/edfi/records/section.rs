//! Classes: what a school offers in a session, who sits in it, and the grades they are given.

use domains::FactBuilder;
use model::{Domain, SchoolYear, Value};

use super::{
    super::{
        fields::{Fields, Outcome, set_whereabouts, text_value},
        index::{Entry, Kind, Offering, Section, Session, key},
        node::Node,
    },
    Output,
    course::{SessionName, set_course},
};

/// A course as a school offers it in a session.
pub(super) fn course_offering(fields: &mut Fields<'_>) -> Outcome<Output> {
    let node = fields.node;
    let id = fields.required_text(node, "LocalCourseCode")?;
    let school = fields.owner(node)?;
    let session = SessionName::read(fields, node)?;
    let course = fields.reference(node, &["CourseReference"])?;
    let course = course.and_then(|course| Some((course, course.value("CourseCode")?)));
    let course = match course {
        Some((course, code)) => Some(key(&[fields.owner(course)?, code])),
        None => None,
    };
    let offering = Offering { title: node.text_of("LocalCourseTitle"), course };
    let label = session.label.unwrap_or_default();
    Ok(Output::Learned(vec![(key(&[school, &id, label, session.year]), Entry::Offering(offering))]))
}

/// A section, of versions whose references to it do not say which course it is of.
pub(super) fn section(fields: &mut Fields<'_>) -> Outcome<Output> {
    let node = fields.node;
    let id = fields.required_text(node, "SectionIdentifier")?;
    let school = fields.owner(node)?;
    let offering = fields.reference(node, &["CourseOfferingReference"])?;
    let session = SessionName::read(fields, offering.unwrap_or(node))?;
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let section = Section {
        course: offering.and_then(|offering| offering.text_of("LocalCourseCode")),
        session_owner: text(session.owner),
        session: session.label.map(str::to_owned),
        session_year: text(session.year),
    };
    Ok(Output::Learned(vec![(key(&[school, &id]), Entry::Section(section))]))
}

/// A student in a class. Its session days are the student's own: those of the class where no end is stated.
pub(super) fn student_section_association(fields: &mut Fields<'_>) -> Outcome<Output> {
    let node = fields.node;
    let state_id = fields.student(node)?;
    let class = Class::read(fields, node)?;
    let begin = fields.required_date(node, "BeginDate")?;
    let end = fields.date(node, "EndDate");
    let mut fact = FactBuilder::new(Domain::Course, "section", fields.line());
    let session = class.describe(fields, &mut fact);
    fact.school_year(class.year(session).unwrap_or_else(|| SchoolYear::containing(begin)));
    fact.valid(fields.period(node, "EndDate", Some(begin), end));
    fact.set("session_begin_date", Value::Date(begin));
    let last = end.or_else(|| session.and_then(|session| session.end).filter(|end| begin <= *end));
    fact.set_some("session_end_date", last.map(Value::Date));
    let dual = node.child("DualCredit").and_then(|dual| dual.text_of("DualCreditType"));
    fact.set_some("dual_enrollment_program", text_value(dual));
    let begin = begin.to_string();
    let mut identity = class.identity().to_vec();
    identity.push(&begin);
    let fact = fields.fact(&fact, Domain::Course, "section", &identity)?;
    Ok(Output::of(state_id, vec![fact]))
}

/// A grade that a student was given in a class: the final one, that of a grading period, or one on the way.
pub(super) fn grade(fields: &mut Fields<'_>) -> Outcome<Output> {
    let node = fields.node;
    // Versions differ in whether a grade's identity names the student's place in the class, or student and class themselves.
    let of = fields.reference(node, &["StudentSectionAssociationReference"])?.unwrap_or(node);
    let state_id = fields.student(of)?;
    let class = Class::read(fields, of)?;
    let begin = fields.date(of, "BeginDate");
    let kind = fields.required_text(node, "GradeType")?;
    let period = fields.reference(node, &["GradingPeriodReference"])?;
    let mut fact = FactBuilder::new(Domain::Course, "grade", fields.line());
    let session = class.describe(fields, &mut fact);
    let stated = match (fields.school_year(node, "SchoolYear"), period) {
        (None, Some(period)) => fields.school_year(period, "SchoolYear"),
        (stated, _) => stated,
    };
    let year = stated.or_else(|| class.year(session)).or_else(|| begin.map(SchoolYear::containing));
    if let Some(year) = year {
        fact.school_year(year);
    }
    fact.set_some("session_begin_date", session.and_then(|session| session.begin).map(Value::Date));
    fact.set_some("session_end_date", session.and_then(|session| session.end).map(Value::Date));
    fact.set("grade_type", Value::Text(kind.clone()));
    let names = ["GradingPeriodName", "GradingPeriod"];
    let name = period.and_then(|period| names.iter().find_map(|name| period.text_of(name)));
    fact.set_some("grading_period", text_value(name));
    let letter = node.text_of("LetterGradeEarned");
    let number = node.text_of("NumericGradeEarned");
    fact.set_some("numeric_grade", text_value(number.clone()));
    fact.set_some("outcome", text_value(letter.or(number)));
    fact.set_some("outcome_status", text_value(node.text_of("PerformanceBaseConversion")));
    let begin = begin.map(|day| day.to_string()).unwrap_or_default();
    let mut identity = class.identity().to_vec();
    identity.extend([begin.as_str(), &kind, node.value("SchoolYear").unwrap_or_default()]);
    let of_period = ["GradingPeriod", "GradingPeriodName", "PeriodSequence", "BeginDate", "SchoolYear"];
    identity.extend(of_period.map(|name| period.and_then(|period| period.value(name)).unwrap_or_default()));
    let fact = fields.fact(&fact, Domain::Course, "grade", &identity)?;
    Ok(Output::of(state_id, vec![fact]))
}

/// A class as a reference names it.
struct Class<'a> {
    id: &'a str,
    school: &'a str,
    /// The course and session, where the reference names them.
    course: Option<&'a str>,
    session: SessionName<'a>,
}

impl<'a> Class<'a> {
    /// The class that `at` refers to.
    fn read(fields: &mut Fields<'a>, at: &'a Node) -> Outcome<Self> {
        let section = fields.reference(at, &["SectionReference"])?;
        let Some((section, id)) = section.and_then(|section| Some((section, section.value("SectionIdentifier")?)))
        else {
            return fields.refuse(at, "SectionIdentifier", "field.required", "The record names no class.");
        };
        let offering = fields.reference(section, &["CourseOfferingReference"])?.unwrap_or(section);
        let session = SessionName::read(fields, offering)?;
        let owners = [fields.owner(section)?, fields.owner(offering)?, session.owner];
        let school = owners.into_iter().find(|owner| !owner.is_empty()).unwrap_or_default();
        Ok(Self { id, school, course: offering.value("LocalCourseCode"), session })
    }

    /// What tells it from others, as far as references of its version say.
    fn identity(&self) -> [&'a str; 5] {
        let label = self.session.label.unwrap_or_default();
        [self.school, self.id, self.course.unwrap_or_default(), label, self.session.year]
    }

    /// Sets where it is held, its course and its session, as far as they are described; gives the session.
    fn describe(&self, fields: &mut Fields<'a>, fact: &mut FactBuilder) -> Option<&'a Session> {
        set_whereabouts(fact, &fields.school(Some(self.school)));
        fact.set("section_code", Value::Text(self.id.to_owned()));
        let own = (self.course, self.session.owner, self.session.label, self.session.year);
        let (course, owner, label, year) = if self.course.is_some() {
            own
        } else {
            match fields.entry(Kind::Section, &key(&[self.school, self.id])) {
                Some(Entry::Section(section)) => (
                    section.course.as_deref(),
                    section.session_owner.as_deref().unwrap_or_default(),
                    section.session.as_deref(),
                    section.session_year.as_deref().unwrap_or_default(),
                ),
                _ => own,
            }
        };
        fact.set_some("session_name", text_value(label.map(str::to_owned)));
        let label = label.unwrap_or_default();
        if let Some(course) = course {
            fact.set("local_course_code", Value::Text(course.to_owned()));
            if let Some(Entry::Offering(offering)) =
                fields.entry(Kind::Offering, &key(&[self.school, course, label, year]))
            {
                if let Some(course) = &offering.course {
                    set_course(fields, fact, course);
                }
                fact.set_some("course_title", text_value(offering.title.clone()));
            }
        }
        if label.is_empty() {
            return None;
        }
        match fields.entry(Kind::Session, &key(&[owner, label, year])) {
            Some(Entry::Session(session)) => Some(session),
            _ => None,
        }
    }

    /// Its school year: the one its reference states, else that of its session.
    fn year(&self, session: Option<&Session>) -> Option<SchoolYear> {
        self.session.year.parse().ok().or_else(|| session.and_then(|session| session.school_year))
    }
}
