use engine::Door;

use super::door_of;

#[test]
fn a_path_belongs_to_the_door_it_begins_with() {
    for (path, door) in [
        ("/v1", Door::PatientGraph),
        ("/v1/", Door::PatientGraph),
        ("/v1/patients/x/safe", Door::PatientGraph),
        ("/v10/patients", Door::Fhir),
        ("/fhir/Patient", Door::Fhir),
        ("/", Door::Fhir),
    ] {
        assert_eq!(door_of(path), door, "{path}");
    }
}
