/** Fields: keys with their values, as the model paired them or as an interactive form has them. */

/**
 * The fields of a page's row: those of an interactive form, then the pairs. `key_box` is null where nothing on the page is
 * known to be the key.
 */
export function pageFields(row) {
  const pairs = (row.pairs || []).map((pair) => ({ ...pair, value_type: null, value_normalized: null, text_source: row.text_source }));
  const filled = (row.form_fields || []).map((field) => ({
    section: null,
    key: field.label || field.name,
    value: field.value,
    score: 1,
    key_box: null,
    value_box: field.box,
    value_type: field.type,
    value_normalized: null,
    text_source: "form",
  }));
  return placed([...filled, ...pairs], row.page_index);
}

/** The same from those of the server's fields of the document that are on the page: they have types, and no words. */
export function typedFields(fields, row) {
  const known = new Map((row.pairs || []).map((pair) => [placeOf(pair), pair]));
  const typed = fields.map((field) => {
    const { key_words = null, value_words = null } = known.get(placeOf(field)) || {};
    return { ...field, key_words, value_words };
  });
  return placed(typed, row.page_index);
}

function placed(fields, page) {
  return fields.map((field, index) => ({ ...field, id: `p${page}f${index}`, page }));
}

function placeOf({ key, value, key_box: keyBox, value_box: valueBox }) {
  return JSON.stringify([key, value, keyBox, valueBox]);
}

/** "Key: value". */
export function fieldTitle({ key, value }) {
  return `${key.replace(/\s*[:\uff1a]\s*$/, "")}: ${value ?? "empty"}`;
}

/** Fields by section, as `[[section, fields], ...]`: those of a page together, and on with the next page's. */
export function bySection(fields) {
  const groups = [];
  let onPage = new Map();
  let page = null;
  for (const field of fields) {
    if (field.page !== page) {
      const last = groups.at(-1);
      onPage = new Map(last ? [[last[0], last]] : []);
      page = field.page;
    }
    const section = field.section || null;
    if (!onPage.has(section)) {
      onPage.set(section, [section, []]);
      groups.push(onPage.get(section));
    }
    onPage.get(section)[1].push(field);
  }
  return groups;
}
