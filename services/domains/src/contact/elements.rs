//! Elements of the contact domain.

use crate::definition::elements;

elements! { Contact;
    contact_id: Text, Contact, "Contact";
    contact_name: Text, Contact, "Name";
    relation: Text, Contact, "Relationship";
    other_agency_relation: Text, OtherAgency, "Relationship that names another agency";
    contact_priority: Integer, Contact, "Order of contact";
    contact_restrictions: Text, Contact, "Contact restrictions";
    primary_contact: Boolean, Contact, "Primary contact";
    lives_with: Boolean, Contact, "Student lives here";
    custody: Boolean, Contact, "Has custody";
    emergency_contact: Boolean, Contact, "Emergency contact";
    electronic_mail_address: Text, Contact, "E-mail";
    other_electronic_mail_addresses: TextList, Contact, "Other e-mail";
    address_type: Text, Contact, "Address type";
    street_address: Text, Contact, "Address";
    street_address_2: Text, Contact, "Address, second line";
    city: Text, Contact, "City";
    state_abbreviation: Text, Contact, "State";
    postal_code: Text, Contact, "ZIP code";
    home_phone: Text, Contact, "Home phone";
    work_phone: Text, Contact, "Work phone";
    mobile_phone: Text, Contact, "Mobile phone";
    other_phones: TextList, Contact, "Other phones";
    home_phone_preferred: Boolean, Administrative, "Home phone is preferred";
    work_phone_preferred: Boolean, Administrative, "Work phone is preferred";
    mobile_phone_preferred: Boolean, Administrative, "Mobile phone is preferred";
    portal_notifications: Boolean, Contact, "Receives portal notifications";
    parent_legal_guardian: Boolean, Contact, "Parent or legal guardian";
    pickup_rights: Boolean, Contact, "May pick the student up";
    access_to_records: Boolean, Contact, "Has access to records";
    disciplinary_contact: Boolean, Contact, "Contact in case of disciplinary action";
    primary_care_provider: Boolean, Contact, "Provides daily care";
    other_addresses: TextList, Contact, "Other addresses";
    other_agency_contact: Text, OtherAgency, "Person of another agency";
}
