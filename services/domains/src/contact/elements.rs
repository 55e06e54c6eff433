//! Elements of the contact domain.

use crate::definition::elements;

elements! { Contact;
    contact_id: Text, Contact, "Contact";
    contact_name: Text, Contact, "Name";
    relation: Text, Contact, "Relationship";
    primary_contact: Boolean, Contact, "Primary contact";
    lives_with: Boolean, Contact, "Student lives here";
    custody: Boolean, Contact, "Has custody";
    emergency_contact: Boolean, Contact, "Emergency contact";
    electronic_mail_address: Text, Contact, "E-mail";
    street_address: Text, Contact, "Address";
    street_address_2: Text, Contact, "Address, second line";
    city: Text, Contact, "City";
    state_abbreviation: Text, Contact, "State";
    postal_code: Text, Contact, "ZIP code";
    home_phone: Text, Contact, "Home phone";
    work_phone: Text, Contact, "Work phone";
    mobile_phone: Text, Contact, "Mobile phone";
    portal_notifications: Boolean, Contact, "Receives portal notifications";
}
