import type { ProfileDevice, PropertyValue } from './profile.ts';

/** What stands for a value that was taken out. */
export const REDACTED = 'REDACTED';

/** Keys whose values are secrets or the guest's own, behind any prefix: `drive0.serial`. Of `password-secret` it is an id. */
const SECRET =
  /(?:^|[._-])(?:pass|passwd|password|passphrase|pin|token|cookie|serial|append|kernel-cmdline)$/i;
/** Further ones, by the option or the QOM type that they are of. */
const SECRET_OF: ReadonlyMap<string, RegExp> = new Map([
  ['object', /^(?:data|iv)$/],
  ['set', /\.(?:data|iv|string)$/],
  ['fw_cfg', /^string$/],
  ['smbios', /^(?!type$|file$)/],
  ['acpitable', /^(?:sig|oem_id|oem_table_id)$/],
]);
/** Options whose whole value is the guest's. */
const WHOLE: ReadonlySet<string> = new Set(['append', 'prom-env']);
/** Brackets inside each other in the JSON of an option. */
const MAX_DEPTH = 32;

/** The words of a command line without what is secret in them; names, ids, paths and all other options stay. */
export function redactCommandLine(words: readonly string[]): string[] {
  let option = '';
  return words.map((word) => {
    const [, name] = /^--?([a-z][\w-]*)$/i.exec(word) ?? [];
    // What follows these is their value, whatever it looks like.
    if (name !== undefined && !WHOLE.has(option)) {
      option = name;
      return word;
    }
    const redacted = WHOLE.has(option) ? REDACTED : redactOption(word, option);
    option = '';
    return redacted;
  });
}

/** Properties of devices, likewise. */
export function redactProperties(devices: readonly ProfileDevice[]): ProfileDevice[] {
  return devices.map((device) => {
    const properties: Record<string, PropertyValue> = Object.create(null);
    for (const [name, value] of Object.entries(device.properties)) {
      if (typeof value !== 'string') properties[name] = value;
      else properties[name] = SECRET.test(name) && value !== '' ? REDACTED : redactUrls(value);
    }
    return { ...device, properties };
  });
}

function redactOption(word: string, option: string): string {
  const own = SECRET_OF.get(option);
  if (/^(?:json:)?\{/.test(word)) return redactJsonText(word, own);
  let isNamed = false;
  // A comma is doubled where it is part of a value.
  const members = word.match(/(?:[^,]|,,)+/g) ?? [];
  if (members.join(',') !== word) return REDACTED;
  const redacted = members.map((member) => {
    const at = member.indexOf('=');
    if (at < 0) return redactUrls(member);
    const [key, value] = [member.slice(0, at), member.slice(at + 1)];
    // -global driver=…,property=serial,value=…
    if (key === 'property' && SECRET.test(value)) isNamed = true;
    if (/^json:\{/.test(value)) return `${key}=${REDACTED}`;
    // `password=on` switches something on, and `serial=` of a chardev would be of no use.
    const isSwitch = /^(?:on|off|yes|no|true|false)$/.test(value);
    const isSecret = SECRET.test(key) || own?.test(key) || (isNamed && key === 'value');
    return isSecret && !isSwitch ? `${key}=${REDACTED}` : `${key}=${redactUrls(value)}`;
  });
  return redacted.join(',');
}

function redactJsonText(word: string, own: RegExp | undefined): string {
  const start = word.indexOf('{');
  try {
    return word.slice(0, start) + JSON.stringify(redactJson(JSON.parse(word.slice(start)), own, 0));
  } catch {
    return REDACTED;
  }
}

function redactJson(value: unknown, own: RegExp | undefined, depth: number): unknown {
  if (depth > MAX_DEPTH) return REDACTED;
  if (typeof value === 'string') return redactUrls(value);
  if (Array.isArray(value)) return value.map((element) => redactJson(element, own, depth + 1));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => {
      const isSecret = (SECRET.test(key) || own?.test(key)) && typeof member !== 'boolean';
      return [key, isSecret ? REDACTED : redactJson(member, own, depth + 1)];
    }),
  );
}

/** Who logs in where, and Ceph's keys in names of images. */
function redactUrls(text: string): string {
  return text
    .replace(/(:\/\/)[^/\s]*@/g, `$1${REDACTED}@`)
    .replace(/(:(?:key|password)=)[^:,]*/g, `$1${REDACTED}`);
}
