//! Many writers hold the same version and all name it in `If-Match`: one gets through.

use super::{Crowd, Subject, put_by, refused, statuses};
use crate::http::{Client, Response};

/// One resource that all fight over.
#[derive(Debug)]
pub struct Contested {
    subject: Subject,
    number: u64,
    id: String,
    version: u64,
}

impl Contested {
    /// Creates the resource.
    #[track_caller]
    pub fn create(crowd: &Crowd, subject: Subject, number: u64) -> Contested {
        let body = subject.body(number);
        let created = put_by(crowd.any(), subject.kind(), &subject.named(number), &body).expect(201);
        Contested {
            subject,
            number,
            id: created.id(),
            version: created.version(),
        }
    }

    /// One round: everybody writes on the condition that the version is still the one they know. Rounds
    /// take turns between `PUT /T/id` and `PUT /T?identifier`.
    #[track_caller]
    pub fn round(&mut self, crowd: &Crowd) {
        let what = format!("If-Match: W/\"{}\", {}", self.version, self.subject.name());
        let answers = crowd.race(|writer, client| self.write(client, writer));
        statuses(&what, &answers, &[(200, 1), (412, crowd.count() - 1)]);
        for answer in answers.iter().filter(|answer| answer.status == 412) {
            refused(&what, answer, 412, "conflict");
        }
        self.version += 1;
        let winner = answers.iter().position(|answer| answer.status == 200);
        let writer = winner.expect("one of them was counted");
        assert_eq!(
            answers[writer].version(),
            self.version,
            "{what}: {:?}",
            answers[writer]
        );
        let read = crowd
            .any()
            .get(format!("/{}/{}", self.subject.kind(), self.id))
            .send()
            .expect(200);
        assert_eq!(read.version(), self.version, "{what}: {read:?}");
        assert_eq!(
            read.json()["name"][0]["family"],
            self.family(writer).as_str(),
            "{what}: not the winner's"
        );
    }

    fn family(&self, writer: usize) -> String {
        format!("Gagnant{}x{writer}", self.version - 1)
    }

    fn write(&self, client: &Client, writer: usize) -> Response {
        let family = format!("Gagnant{}x{writer}", self.version);
        let mut body = self.subject.body_called(self.number, &family);
        let kind = self.subject.kind();
        let target = if self.version % 2 == 1 {
            body["id"] = self.id.as_str().into();
            format!("/{kind}/{}", self.id)
        } else {
            format!("/{kind}?{}", self.subject.named(self.number).criterion())
        };
        client
            .put(target)
            .header("If-Match", format!("W/\"{}\"", self.version))
            .json(&body)
            .send()
    }
}
