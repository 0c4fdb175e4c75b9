import { describe, expect, test } from 'vitest';
import { type PythonJson, pythonJson, pythonJsonChunks } from '../../src/render/python-json.ts';

/** Expected texts are those of CPython 3.11: json.dumps(value, indent=4, separators=(',', ': ')). */
describe('pythonJson', () => {
  test.each<[string, PythonJson, string]>([
    ['short escapes', '"\\/\b\f\n\r\t', '"\\"\\\\/\\b\\f\\n\\r\\t"'],
    ['other control characters', '\0\x1b\x1f', '"\\u0000\\u001b\\u001f"'],
    ['DEL and what follows', '~\x7f\x80', '"~\\u007f\\u0080"'],
    ['the basic plane', 'é€\u2028\ufeff', '"\\u00e9\\u20ac\\u2028\\ufeff"'],
    ['beyond the basic plane', '😀', '"\\ud83d\\ude00"'],
    ['a lone surrogate', '\ud83d', '"\\ud83d"'],
    ['constants', [null, true, false], '[\n    null,\n    true,\n    false\n]'],
    ['integers', [0, -0, -1, 4294967295], '[\n    0,\n    0,\n    -1,\n    4294967295\n]'],
    [
      'large integers',
      [2 ** 70, 18446744073709551615n],
      '[\n    1180591620717411303424,\n    18446744073709551615\n]',
    ],
    ['a fraction', 0.5, '0.5'],
    ['nothing', [[], {}, new Map(), ''], '[\n    [],\n    {},\n    {},\n    ""\n]'],
    [
      'nesting',
      { a: [{ b: 1 }], c: 2 },
      '{\n    "a": [\n        {\n            "b": 1\n        }\n    ],\n    "c": 2\n}',
    ],
    ['an escaped key', { 'ä"': 1 }, '{\n    "\\u00e4\\"": 1\n}'],
    [
      'order in a Map',
      new Map([
        ['b', 1],
        ['10', 2],
        ['2', 3],
      ]),
      '{\n    "b": 1,\n    "10": 2,\n    "2": 3\n}',
    ],
    ['bytes', [Uint8Array.of(0, 0x1a, 0xff), new Uint8Array(0)], '[\n    "00 1a ff",\n    ""\n]'],
  ])('%s', (_, value, text) => {
    expect(pythonJson(value)).toBe(text);
  });

  test('bytes of several pieces', () => {
    const bytes = Uint8Array.from({ length: 100_000 }, (_, i) => i % 251);
    const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
    expect(pythonJson(bytes)).toBe(`"${hex}"`);
  });
});

async function* entriesOf(entries: readonly (readonly [string, PythonJson])[]) {
  yield* entries;
}

async function chunksOf(entries: readonly (readonly [string, PythonJson])[]): Promise<string[]> {
  const chunks: string[] = [];
  for await (const chunk of pythonJsonChunks(entriesOf(entries))) chunks.push(chunk);
  return chunks;
}

describe('pythonJsonChunks', () => {
  test('writes the same as pythonJson', async () => {
    const entries: [string, PythonJson][] = [
      ['a', { b: [1, 2] }],
      ['c', 'd'],
    ];
    expect((await chunksOf(entries)).join('')).toBe(pythonJson(new Map(entries)));
    expect((await chunksOf([])).join('')).toBe('{}');
  });

  test('keeps chunks to their size, however long the values', async () => {
    const count = 200_000;
    function* strings() {
      for (let i = 0; i < count; i++) yield `0x${i.toString(16)}`;
    }
    const chunks = await chunksOf([
      ['list', strings()],
      ['bytes', new Uint8Array(1 << 20)],
    ]);
    for (const chunk of chunks.slice(0, -1)) expect(chunk.length).toBeGreaterThanOrEqual(64 << 10);
    for (const chunk of chunks) expect(chunk.length).toBeLessThan(128 << 10);
    const { list, bytes } = JSON.parse(chunks.join(''));
    expect(list).toHaveLength(count);
    expect(bytes).toHaveLength(3 * (1 << 20) - 1);
  });
});
