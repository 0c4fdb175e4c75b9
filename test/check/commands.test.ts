import { describe, expect, test } from 'vitest';
import { checkStream } from '../../src/check/check.ts';
import type { CheckReport } from '../../src/check/finding.ts';
import { readFixture } from '../fixtures.ts';
import { blocking, checkLoad, destinationOf, hasSaid, openBytes, recorded } from './recorded.ts';
import { command, firstSection, splice } from './splice.ts';

/** `MIG_CMD_*` (migration/savevm.c, enum qemu_vm_cmd). */
const OPEN_RETURN_PATH = 1;
const PING = 2;
const POSTCOPY_ADVISE = 3;
const POSTCOPY_LISTEN = 4;
const POSTCOPY_RUN = 5;
const POSTCOPY_RAM_DISCARD = 6;
const PACKAGED = 7;
const ENABLE_COLO = 8;
const SWITCHOVER_START = 11;

const ping = command(PING, Buffer.from([0, 0, 0, 0x2a]));
/** Page sizes of the host and of the target. */
const advise = command(POSTCOPY_ADVISE, Buffer.from('00000000000010000000000000001000', 'hex'));
const discard = command(
  POSTCOPY_RAM_DISCARD,
  Buffer.concat([
    Buffer.from([0, 6]),
    Buffer.from('pc.ram\0'),
    Buffer.alloc(7),
    Buffer.from([0x10]),
    Buffer.alloc(6),
    Buffer.from([0x10, 0]),
  ]),
);

const base = recorded('pc-nics@5.2 7.2 to 7.2 damaged framing: command-unknown').profile();

/** What a QEMU makes of its own state with these commands in front of the sections. */
async function withCommands(commands: readonly Uint8Array[], version = '7.2'): Promise<CheckReport> {
  const at = await firstSection(base);
  const destination = await destinationOf(base, version, 'x86_64', { tables: false });
  return checkStream(await openBytes(splice(base, at, at, ...commands)), destination);
}

const rulesOf = (report: CheckReport) => blocking(report).map(({ rule, says }) => [rule, says]);

describe('what QEMU said', () => {
  test.each(['unknown', 'zero', 'ping', 'switchover', 'listen'])('command-%s', async (what) => {
    for (const versions of ['7.2 to 7.2', '5.2 to 10.0']) {
      const load = recorded(`pc-nics@5.2 ${versions} damaged framing: command-${what}`);
      const found = rulesOf(await checkLoad(load));
      expect({ versions, blocks: found.length > 0 }).toEqual({ versions, blocks: !load.loaded });
      for (const [, says] of found) expect(hasSaid(load.words, says!), says).toBe(true);
    }
  });

  test('a return path is opened by any QEMU', async () => {
    const load = recorded('pc-nics@5.2 7.2 to 7.2 damaged framing: command-return-path');
    expect(load.loaded).toBe(true);
    expect(blocking(await checkLoad(load))).toEqual([]);
  });
});

describe('commands by version', () => {
  test('SWITCHOVER_START is known from 10.0 on', async () => {
    for (const [version, isKnown] of [
      ['5.2', false],
      ['7.2', false],
      ['9.2', false],
      ['10.0', true],
      ['11.1', true],
    ] as const) {
      const rules = blocking(await withCommands([command(SWITCHOVER_START)], version)).map(
        ({ rule }) => rule,
      );
      expect({ version, rules }).toEqual({ version, rules: isKnown ? [] : ['unknown-command'] });
    }
  });

  test('what no QEMU knows is unknown to all, known ones are known to all', async () => {
    for (const version of ['5.2', '11.1']) {
      expect(rulesOf(await withCommands([command(0x63)], version))).toEqual([
        ['unknown-command', 'MIG_CMD 0x63 unknown (len 0x0)'],
      ]);
      expect(rulesOf(await withCommands([command(ENABLE_COLO)], version))).toEqual([]);
    }
  });
});

describe('order of commands (loadvm_postcopy_handle_*)', () => {
  const NONE = 0;
  const ADVISE = 1;
  const LISTENING = 3;
  const wrong = (name: string, state: number) => [
    'command-order',
    `CMD_POSTCOPY_${name} in wrong postcopy state (${state})`,
  ];
  const listen = command(POSTCOPY_LISTEN);
  const run = command(POSTCOPY_RUN);

  test.each([
    ['advise', [advise], []],
    ['advise, listen, run', [advise, listen, run], []],
    ['advise, discard, discard, listen', [advise, discard, discard, listen], []],
    ['twice advised', [advise, advise], [wrong('ADVISE', ADVISE)]],
    ['listen first', [listen], [wrong('LISTEN', NONE)]],
    ['run without listen', [advise, run], [wrong('RUN', ADVISE)]],
    ['discard without advise', [discard], [wrong('RAM_DISCARD', NONE)]],
    ['discard while listening', [advise, listen, discard], [wrong('RAM_DISCARD', LISTENING)]],
    ['ping behind the return path', [command(OPEN_RETURN_PATH), ping], []],
    ['ping without', [ping], [['command-order', 'CMD_PING (0x2a) received with no return path']]],
  ])('%s', async (_, commands, expected) => {
    expect(rulesOf(await withCommands(commands))).toEqual(expected);
  });

  test('commands in a package count, too', async () => {
    const packaged = (content: Uint8Array) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(content.length);
      return Buffer.concat([command(PACKAGED, length), content, Buffer.from([0])]);
    };
    const content = Buffer.concat([listen, run]);
    expect(rulesOf(await withCommands([advise, packaged(content)]))).toEqual([]);
    expect(rulesOf(await withCommands([packaged(listen)]))).toContainEqual(wrong('LISTEN', NONE));
  });
});

test.each(['qemu-5.2-postcopy', 'qemu-11.1-postcopy', 'qemu-7.2-postcopy-advised'])(
  'what a source really sends is in order: %s',
  async (name) => {
    const bytes = readFixture(name);
    const version = /\d+\.\d+/.exec(name)![0];
    const report = await checkStream(
      await openBytes(bytes),
      await destinationOf(bytes, version, 'x86_64', { tables: false }),
    );
    expect(
      report.findings.filter(({ rule }) => rule === 'command-order' || rule === 'unknown-command'),
    ).toEqual([]);
    // The destination must have the capability.
    expect(report.findings.map(({ rule }) => rule)).toContain('capabilities');
  },
);
