// Words: what the page says, in its reader's language. WORDS is a table from words_en.json or
// another language's: {name} in a text gives way to a value, and a key that ends in ".one" (or
// another of Intl.PluralRules) stands for the key without it where `n` is such a number.

/** A text of the page with its values put in. */
function word(key, values = {}) {
  return phrase(key, values).join("");
}

/** A text of the page as a list of texts and elements, where values are elements or such lists. */
function phrase(key, values = {}) {
  phrase.plural ??= new Intl.PluralRules(WORDS.lang);
  const counted = values.n === undefined ? undefined : WORDS[`${key}.${phrase.plural.select(values.n)}`];
  const parts = (counted ?? WORDS[key]).split(/\{(\w+)\}/);
  return parts.flatMap((part, place) => (place % 2 ? values[part] : part)).filter((part) => part !== "");
}

/** Names as a list in a sentence: a, b, and c. */
function listed(names) {
  listed.format ??= new Intl.ListFormat(WORDS.lang);
  return listed.format.format(names);
}
