//! Invented French names. Families are put together from parts, so that a million people do not share
//! a hundred names and a search by name and birth date stays narrow.

use crate::random::Random;

const FAMILY_STARTS: [&str; 40] = [
    "Bel", "Mont", "Ros", "Vau", "Cour", "Chant", "Gré", "Lau", "Mar", "Per", "Ber", "Car", "Del", "Fau",
    "Gir", "Hur", "Jou", "Ker", "Lam", "Mau", "Nor", "Oli", "Pel", "Qué", "Rou", "Sau", "Tré", "Val",
    "Ville", "Bré", "Châ", "Dor", "Fon", "Gau", "Lé", "Mou", "Pré", "Ri", "Sé", "Tho",
];
const FAMILY_MIDDLES: [&str; 30] = [
    "ban", "be", "bo", "cha", "che", "da", "de", "do", "fi", "ga", "gi", "la", "le", "li", "lo", "ma", "me",
    "mi", "na", "ni", "no", "ra", "ri", "ro", "sa", "ta", "te", "ti", "va", "vi",
];
const FAMILY_ENDS: [&str; 30] = [
    "ac", "ain", "ant", "ard", "aud", "ault", "bert", "bois", "court", "din", "don", "eau", "el", "ène",
    "ent", "ert", "et", "eux", "gnon", "ier", "in", "lain", "lin", "mont", "net", "nier", "on", "rand",
    "rin", "ville",
];
const FEMALE: [&str; 24] = [
    "Adèle",
    "Agathe",
    "Apolline",
    "Aurélie",
    "Bérénice",
    "Camille",
    "Célestine",
    "Clémence",
    "Coralie",
    "Delphine",
    "Éléonore",
    "Églantine",
    "Faustine",
    "Françoise",
    "Gaëlle",
    "Héloïse",
    "Inès",
    "Joséphine",
    "Léonie",
    "Maëlys",
    "Noémie",
    "Ombeline",
    "Solène",
    "Zoé",
];
const MALE: [&str; 24] = [
    "Achille",
    "Ambroise",
    "Anatole",
    "Aurélien",
    "Barthélemy",
    "Bastien",
    "Célestin",
    "Cyprien",
    "Désiré",
    "Émile",
    "Étienne",
    "Félix",
    "Gaspard",
    "Gaëtan",
    "Hippolyte",
    "Jérôme",
    "Joël",
    "Léandre",
    "Loïc",
    "Maxence",
    "Noël",
    "Régis",
    "Théodore",
    "Yannick",
];
const TOWNS: [(&str, &str); 16] = [
    ("44000", "Nantes"),
    ("29200", "Brest"),
    ("67000", "Strasbourg"),
    ("31000", "Toulouse"),
    ("59800", "Lille"),
    ("13002", "Marseille"),
    ("69003", "Lyon"),
    ("33000", "Bordeaux"),
    ("35000", "Rennes"),
    ("34000", "Montpellier"),
    ("21000", "Dijon"),
    ("37000", "Tours"),
    ("63000", "Clermont-Ferrand"),
    ("42000", "Saint-Étienne"),
    ("20000", "Ajaccio"),
    ("97400", "Saint-Denis"),
];
const STREETS: [&str; 12] = [
    "rue des Tilleuls",
    "rue du Vieux Lavoir",
    "avenue des Marronniers",
    "place de l'Horloge",
    "quai des Brumes",
    "chemin du Moulin",
    "impasse des Glycines",
    "boulevard de la Gare",
    "rue de la Fontaine",
    "allée des Peupliers",
    "rue du Four à Chaux",
    "cours de l'Écluse",
];

/// People among whom a family name comes about as often in a large population as in a small one.
const NAMESAKES_AMONG: u64 = 5_000;

/// A family name of somebody of this number. Every few thousand people bring names of their own, as other regions do: so
/// a search by name finds as many among a million as among ten thousand.
pub(super) fn family_of(number: u64, random: &mut Random) -> String {
    let family = family(random);
    let Some(region) = (number / NAMESAKES_AMONG).checked_sub(1) else {
        return family;
    };
    let [starts, middles] = [FAMILY_STARTS.len() as u64, FAMILY_MIDDLES.len() as u64];
    let start = FAMILY_STARTS[(region % starts) as usize];
    let middle = FAMILY_MIDDLES[(region / starts % middles) as usize];
    format!("{start}{middle}{}", family.to_lowercase())
}

pub(super) fn family(random: &mut Random) -> String {
    let single = |random: &mut Random| {
        let start = random.pick(&FAMILY_STARTS);
        let middle = random.pick(&FAMILY_MIDDLES);
        format!("{start}{middle}{}", random.pick(&FAMILY_ENDS))
    };
    match random.below(20) {
        0 => format!("{}-{}", single(random), single(random)),
        1 => format!("Le {}", single(random)),
        2 => format!("d'{}", single(random)),
        _ => single(random),
    }
}

pub(super) fn female(random: &mut Random) -> &'static str {
    random.pick(&FEMALE)
}

pub(super) fn male(random: &mut Random) -> &'static str {
    random.pick(&MALE)
}

/// A street line, a postcode and a town.
pub(super) fn address(random: &mut Random) -> (String, &'static str, &'static str) {
    let line = format!("{} {}", random.between(1, 180), random.pick(&STREETS));
    let (postcode, town) = random.pick(&TOWNS);
    (line, postcode, town)
}

/// Lower-case ASCII for an e-mail address.
pub(super) fn plain(name: &str) -> String {
    name.to_lowercase()
        .chars()
        .filter_map(|letter| match letter {
            'à' | 'â' => Some('a'),
            'é' | 'è' | 'ê' | 'ë' => Some('e'),
            'î' | 'ï' => Some('i'),
            'ô' | 'ö' => Some('o'),
            'ù' | 'û' | 'ü' => Some('u'),
            'ç' => Some('c'),
            ' ' | '\'' => None,
            other => Some(other),
        })
        .collect()
}
