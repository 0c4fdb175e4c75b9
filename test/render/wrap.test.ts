import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { visibleLength, wrapLine } from '../../src/render/wrap.ts';
import { fixtureFile, main, pickFixture } from '../cli/run.ts';

const words = (text: string) => text.split(/\s+/).filter((word) => word !== '');

describe('wrapLine', () => {
  test('hangs what follows behind the indentation', () => {
    expect([...wrapLine('  one two three four five six seven', 26)]).toEqual([
      '  one two three four five',
      '      six seven',
    ]);
  });

  test('does not count colours, and keeps the columns of a row that fits', () => {
    const row = '\u001b[31m  12\u001b[39m  a     b';
    expect([...wrapLine(row, 24)]).toEqual([row]);
  });

  test('no word is lost or broken, and no line longer than it must be', () => {
    const line = fc.array(fc.string({ minLength: 1, maxLength: 40 }), { minLength: 1 });
    fc.assert(
      fc.property(line, fc.nat(8), fc.integer({ min: 40, max: 120 }), (parts, indent, width) => {
        const text = `${' '.repeat(indent)}${parts.join(' ')}`;
        const lines = [...wrapLine(text, width)];
        expect(lines.flatMap(words)).toEqual(words(text));
        for (const each of lines) expect(visibleLength(each) <= width || words(each).length === 1).toBe(true);
      }),
    );
  });
});

test('on a terminal of 80 columns no row of info, ram and dump is longer', () => {
  const stream = fixtureFile(pickFixture(({ name }) => name.includes('q35-devices')));
  for (const command of ['info', 'ram', 'dump']) {
    const script = `stty cols 80; exec "$NODE" "$MAIN" ${command} "$STREAM"`;
    const { stdout } = spawnSync('script', ['-qec', script, '/dev/null'], {
      env: { PATH: process.env['PATH'], NODE: process.execPath, MAIN: main, STREAM: stream, NO_COLOR: '1' },
      encoding: 'utf8',
      maxBuffer: 1 << 28,
    });
    const long = stdout.split(/\r*\n/).filter((line) => line.length > 80 && words(line).length > 1);
    expect(stdout.length).toBeGreaterThan(1000);
    expect(long).toEqual([]);
  }
});
