/** Every kind of finding of a comparison, with a line that says what it is. The set is closed. */
export const compatRules = [
  ['compat-version-too-new', 'the destination does not know the version that the source sends'],
  ['compat-version-too-old', 'the destination no longer reads the version that the source sends'],
  ['compat-name-changed', 'a device sends its section under another name'],
  ['compat-device-missing', 'the destination does not have a device, or not its state'],
  [
    'compat-type-missing',
    'the destination has no such QOM type, but reads its section as that of another one',
  ],
  ['compat-unmigratable', 'the source refuses to migrate a VM with this device'],
  ['compat-subsection-unknown', 'the source sends a subsection that the destination does not know'],
  ['compat-field-not-read', 'the source sends a field that the destination does not read'],
  ['compat-field-not-sent', 'the destination reads a field that the source does not send'],
  ['compat-fields-differ', 'fields in the same place take another number of bytes'],
  ['compat-field-moved', 'a field is sent in another place than it is read'],
  ['compat-size-changed', 'a field has another size'],
  ['compat-type-changed', 'a field has another form on the wire'],
  ['compat-count-changed', 'an array has another number of elements'],
  [
    'compat-count-source',
    'the number of elements comes from the device on one side, and is fixed on the other',
  ],
  ['compat-pointer-markers', 'only one side marks which elements of an array of pointers are there'],
  ['compat-info-length', 'a VMStateInfo that had other lengths in other versions'],
  ['compat-test-changed', 'whether a field is there is decided in another way'],
  ['compat-value-must-match', 'the destination takes a field only with the value that it has itself'],
  ['compat-validation-added', 'the destination checks what it loads, and the source does not'],
  ['compat-not-compared', 'tables that have more fields than can be compared'],
  ['compat-field-renamed', 'a field has another name, on the same bytes'],
  ['compat-struct-changed', 'fields are in another struct, on the same bytes'],
  ['compat-type-differs', 'a field has another type, on the same bytes'],
  ['compat-bytes-regrouped', 'other fields, or unused bytes, on the same bytes'],
  ['compat-subsection-added', 'the destination knows a subsection that the source does not send'],
  ['compat-needed-changed', 'whether a section or subsection is sent is decided in another way'],
  ['compat-early-setup', 'a section is sent before RAM by one side only'],
] as const;

export type CompatRule = (typeof compatRules)[number][0];

/**
 * `certain`: migration fails, or loads a wrong value, whenever the device is there. `conditional`: only if something
 * holds that tables do not tell. `cosmetic`: the bytes are the same, and mean the same as far as can be told.
 */
export const compatRanks = ['certain', 'conditional', 'cosmetic'] as const;
export type CompatRank = (typeof compatRanks)[number];
