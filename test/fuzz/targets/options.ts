import { printable } from '../../../src/bytes/diagnostic.ts';
import { globPattern } from '../../../src/bytes/glob.ts';
import { parseCapability, parseParameter } from '../../../src/check/migration-settings.ts';
import { parseOffset } from '../../../src/cli/options.ts';
import { parseLayoutOption } from '../../../src/core/layout-option.ts';
import type { Target } from '../target.ts';

/** Characters of an option, which people type; the plain matcher takes the square of it. */
const MAX_TEXT = 400;
const NAMES = ['cpu', '0000:00:02.0/virtio-net', 'a/b/fields[3]', '**', '𝒳/y', ''];

export const options: Target = {
  name: 'options',
  about: 'texts of --layout, --capability, --parameter and --offset; globs against a plainer matcher',
  words: [
    'pc.ram',
    '@',
    ':',
    '+',
    '0x',
    'k',
    ',',
    '=on',
    '=off',
    'multifd',
    '**',
    '*',
    '?',
    '/',
    '[3]',
    '0xffffffffffffffff',
  ],
  seeds: () =>
    [
      'pc.ram@0:16M,pc.ram@0x100000000:1g+0x1000000',
      'a@0x0:1,b@0x1000:4096+1',
      'multifd=on',
      'postcopy-ram=off',
      'multifd-channels=4',
      'block-bitmap-mapping=[]',
      '0x1000k',
      '18446744073709551615',
      '**/fields[?]',
      '*virtio*/**net',
      '**a**b**c',
    ].map((text) => Buffer.from(text)),
  async judge(bytes) {
    const text = Buffer.from(bytes).toString('utf8').slice(0, MAX_TEXT);
    const read = [parseLayoutOption, parseCapability, parseParameter, parseOffset].map((parse) => {
      try {
        return JSON.stringify(parse(text));
      } catch (error) {
        // What is wrong with an option is an Error with a sentence; TypeError and the like are ours.
        if (!(error instanceof Error) || /^(Type|Range|Syntax|Reference)Error$/.test(error.name)) throw error;
        return error.message;
      }
    });
    const problems = read
      .filter((line) => printable(line) !== line)
      .map((line) => `a message that is no line of text: ${JSON.stringify(line)}`);
    const pattern = globPattern(text);
    for (const name of [...NAMES, text]) {
      if (pattern.test(name) !== matches([...text], [...name]))
        problems.push(`a glob that matches otherwise: ${JSON.stringify([text, name])}`);
    }
    return { problems, result: read.join('\n') };
  },
  testRuns: 200,
};

/** Whether a glob matches, by what follows each of its characters at each place of a name. */
function matches(glob: readonly string[], name: readonly string[]): boolean {
  let row = Array.from({ length: name.length + 1 }, (_, at) => at === name.length);
  for (let i = glob.length - 1; i >= 0; i--) {
    const token = glob[i]!;
    const isAny = token === '*' && (glob[i - 1] === '*' || glob[i + 1] === '*');
    const next: boolean[] = [];
    for (let at = name.length; at >= 0; at--) {
      const character = name[at];
      const taken = character !== undefined;
      if (token === '*') next[at] = row[at]! || (taken && (isAny || character !== '/') && next[at + 1]!);
      else next[at] = taken && (token === '?' ? character !== '/' : token === character) && row[at + 1]!;
    }
    row = next;
  }
  return row[0]!;
}
