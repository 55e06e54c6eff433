//! Student contacts, as reported for this school year and the last.

use crate::generate::World;
use crate::generate::calendar::date;
use crate::generate::family;
use crate::generate::life::Stint;
use crate::generate::sink::{Batch, Damage};
use crate::generate::state::{Record, columns};

columns! { Column;
    Name = "parent_name",
    Type = "parent_type",
    Sasid = "student_code",
    Email = "email",
    Address = "address_line_1",
    City = "city",
    State = "state",
    Zip = "zip_code",
    HomePhone = "home_phone",
    WorkPhone = "work_phone",
    MobilePhone = "mobile_phone",
    LivesHere = "student_lives_here",
    Portal = "portal_notifications",
}

/// School years that contacts are kept for, the current one counted.
const FALLS: i16 = 2;

const DAMAGE: [Damage; 3] = [
    Damage::Value(Column::Sasid as usize, "", "field.required"),
    Damage::Value(Column::Sasid as usize, "1234", "length.invalid"),
    Damage::Short,
];

/// Writes the contacts that have custody.
pub fn write(world: &World, batch: &mut Batch, record: &Record<'_>) -> anyhow::Result<()> {
    for year in &record.life.years {
        if year.fall <= world.last_fall - FALLS {
            continue;
        }
        let day = date(i32::from(year.fall), 11, 1).min(world.as_of);
        let Some(stint) = year.on(day) else { continue };
        let sasid = record.identity.sasid(year.fall);
        for parent in record.household.parents.iter().filter(|p| p.custody) {
            let town = &world.places.towns[stint.town];
            let street = street(record, stint, day);
            let [home, work, mobile] = &parent.phones;
            batch.write(&world.tables.contacts, (year.fall, "contacts"), &DAMAGE, |fill| {
                fill.text(Column::Name, &format!("{} {}", parent.first, parent.last))
                    .text(Column::Type, parent.relation)
                    .text(Column::Sasid, sasid)
                    .text(Column::Email, &parent.email)
                    .text(Column::HomePhone, home)
                    .text(Column::WorkPhone, work)
                    .text(Column::MobilePhone, mobile)
                    .text(Column::LivesHere, if parent.lives_with { "Y" } else { "" })
                    .text(Column::Portal, if parent.email.is_empty() { "" } else { "Y" });
                if parent.lives_with {
                    fill.text(Column::Address, &street)
                        .text(Column::City, &town.name)
                        .text(Column::State, "CT")
                        .text(Column::Zip, record.zip(world, stint.town));
                }
            })?;
        }
    }
    Ok(())
}

/// The household's street; of a child that has moved alone, one made from where it lives.
fn street(record: &Record<'_>, stint: &Stint, day: chrono::NaiveDate) -> String {
    match family::on(&record.household.addresses, day) {
        Some(address) if address.town == Some(stint.town) => address.street.clone(),
        _ => {
            let number = (record.child.index * 37 + stint.town as u64 * 11) % 460 + 2;
            format!("{number} Main Street")
        }
    }
}
