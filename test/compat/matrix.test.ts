import { describe, expect, test } from 'vitest';
import { compareMatrix } from '../../src/compat/compare-matrix.ts';
import { compareSides } from '../../src/compat/compat.ts';
import { openSide } from '../../src/node/compat-side.ts';
import { matrixText } from '../../src/render/compat-matrix-text.ts';
import { vmwalk } from '../cli/run.ts';

describe('many builds', () => {
  test('are compared as two of them are', async () => {
    const [a, b, c] = await Promise.all(
      ['5.2-s390x', '7.2-s390x', '11.1-s390x'].map((name) => openSide(name)),
    );
    const matrix = compareMatrix([a!, b!], [b!, c!], { machines: ['s390-ccw-virtio-5.*'] });
    expect(matrix.pairs.map(({ old, new: fresh }) => [old, fresh])).toEqual([
      [0, 0],
      [0, 1],
      [1, 0],
      [1, 1],
    ]);
    const report = compareSides(b!, c!, { direction: 'new-to-old' });
    const counts = matrix.pairs[3]!.counts.find(({ direction }) => direction === 'new-to-old');
    for (const rank of ['certain', 'conditional'] as const)
      expect(counts?.[rank]).toBe(report.findings.filter((each) => each.rank === rank).length);
    expect(matrix.pairs[3]!.machines.map(({ machineType }) => machineType)).toEqual(['s390-ccw-virtio-5.2']);
    // A build with itself.
    expect(matrix.pairs[2]!.counts).toEqual([
      { direction: 'old-to-new', certain: 0, conditional: 0 },
      { direction: 'new-to-old', certain: 0, conditional: 0 },
    ]);
    const grids = [...matrixText(matrix, true)].filter((line) => line.includes(' for '));
    expect(grids).toHaveLength(6);
    expect([...matrixText(matrix)].filter((line) => line.startsWith('5.2-s390x'))).toHaveLength(2);
  });

  test('of the command line are in front of -- and behind it', async () => {
    const args = [
      'compat',
      '--direction',
      'old-to-new',
      '--matrix',
      '7.2-avr',
      '10.0-avr',
      '--',
      '11.1-avr',
      '7.2-avr',
    ];
    const { stdout, status } = await vmwalk(args);
    const [title, names, ...rows] = stdout.trimEnd().split('\n');
    expect(title).toBe('old \u2192 new: breaks/may break');
    expect(names).toMatch(/^OLD \\ NEW +11\.1-avr +7\.2-avr$/);
    expect(rows.map((row) => row.replace(/ .*/, ''))).toEqual(['7.2-avr', '10.0-avr']);
    // 10.0 to 7.2.
    expect(rows[1]).toMatch(/ [1-9]\d*\/\d+$/);
    expect(status).toBe(1);
    const { pairs } = JSON.parse((await vmwalk(['compat', '--json', ...args.slice(1)])).stdout);
    expect(pairs).toHaveLength(4);
  });

  test('that are wrong are refused', async () => {
    const say = async (args: string[]) => {
      const { status, stderr, stdout } = await vmwalk(['compat', ...args]);
      expect([status, stdout]).toEqual([2, '']);
      return stderr;
    };
    expect(await say(['7.2-avr'])).toContain("missing required argument 'new'");
    expect(await say(['7.2-avr', '10.0-avr', '11.1-avr'])).toContain('more with --matrix');
    expect(await say(['--matrix', '7.2-avr'])).toContain("missing required argument 'old'");
    expect(await say(['--matrix', '7.2-avr', '--', 'none.json'])).toContain('none.json');
    for (const form of ['--junit', '--sarif', '--github', '--gitlab', '--mail'])
      expect(await say([form, '--matrix', '7.2-avr', '--', '10.0-avr'])).toContain(
        `cannot be used with option '${form}'`,
      );
    expect(await say(['--baseline', 'x', '--matrix', '7.2-avr', '--', '10.0-avr'])).toContain(
      'cannot be used',
    );
    expect(await say(['--machine', 'pc-*', '--matrix', '7.2-avr', '--', '10.0-avr'])).toContain(
      'no two of these builds',
    );
    expect(await say(['--matrix', '7.2-avr', '--', '10.0-avr', '--json'])).toContain(
      "'--json' behind -- would be a build: options stand before it",
    );
  });

  test('of different targets are said to be that', async () => {
    const warning =
      'vmwalk: warning: these are QEMUs of different targets (avr, rx): no VM migrates between them\n';
    expect((await vmwalk(['compat', '7.2-avr', '10.0-rx'])).stderr).toBe(warning);
    expect((await vmwalk(['compat', '--matrix', '7.2-avr', '10.0-rx', '--', '11.1-avr'])).stderr).toBe(
      warning,
    );
    expect((await vmwalk(['compat', '7.2-avr', '10.0-avr'])).stderr).toBe('');
  });
});
