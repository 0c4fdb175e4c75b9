import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { knowledgeOfCapture } from '../../src/check/capture.ts';
import { checkStream } from '../../src/check/check.ts';
import { parseProfile, serializeProfile } from '../../src/check/profile.ts';
import { withoutRedacted } from '../../src/check/redacted.ts';
import { layouts } from '../../src/layout/open.ts';
import { isSameShape } from '../../src/layout/same-shape.ts';
import { openCapture } from '../../src/node/open-capture.ts';
import { destinationOfProfile } from '../../src/node/open-destination.ts';
import { openProfile } from '../../src/node/profile-file.ts';
import { redactProfile } from '../../src/node/redact-profile.ts';
import { vmwalk } from '../cli/run.ts';
import { Machine } from './machine.ts';

const TEXT = 'KEPT-IN-CMOS';
const REGISTER = 0x5ec2e701;

/** A boot sector that writes the text into the CMOS, the number into EBX, and halts. */
function bootSector(): Buffer {
  const writes = [...TEXT].flatMap((letter, i) => [
    ...[0xb0, 0x60 + i, 0xe6, 0x70],
    ...[0xb0, letter.charCodeAt(0), 0xe6, 0x71],
  ]);
  const number = Buffer.alloc(4);
  number.writeUInt32LE(REGISTER);
  const sector = Buffer.alloc(2 << 20);
  sector.set([0xfa, ...writes, 0x66, 0xbb, ...number, 0xf4, 0xeb, 0xfd]);
  sector.set([0x55, 0xaa], 510);
  return sector;
}

const textOf = (file: string) => gunzipSync(readFileSync(file)).toString();

describe('a redacted capture', () => {
  const folder = mkdtempSync(join(tmpdir(), 'vmwalk-redact-'));
  const [whole, redacted] = [join(folder, 'whole'), join(folder, 'redacted')];
  let machine: Machine;
  let stderr: string;

  beforeAll(async () => {
    const disk = join(folder, 'disk');
    writeFileSync(disk, bootSector());
    machine = await Machine.start([
      ...['-M', 'q35', '-m', '16', '-qmp', 'unix:second,server=on,wait=off'],
      ...['-drive', `file=${disk},format=raw,if=none,id=d`, '-device', 'ide-hd,drive=d,serial=OF-THE-DISK'],
      ...['-object', 'secret,id=key,data=OF-THE-OBJECT', '-fw_cfg', 'name=opt/x,string=OF-FW,,CFG'],
      ...['-object', '{"qom-type":"secret","id":"json","data":"OF-THE-JSON"}'],
      ...['-smbios', 'type=1,serial=OF-THE-BIOS', '-device', 'virtio-net-pci,romfile='],
      ...['-device', 'e1000e,romfile=', '-device', 'isa-serial'],
    ]);
    const registers = () =>
      machine.qmp.execute<string>('human-monitor-command', { 'command-line': 'info registers' });
    for (let tries = 0; !(await registers()).toLowerCase().includes(REGISTER.toString(16)); tries++) {
      if (tries > 600) throw new Error('the guest has not come to its end');
      await sleep(50);
    }
    await vmwalk(['capture', '--qmp', 'second', '-o', whole], { cwd: machine.folder });
    ({ stderr } = await vmwalk(['capture', '--from', whole, '--redact', '-o', redacted]));
  });
  afterAll(async () => {
    await machine.end();
    rmSync(folder, { recursive: true, force: true });
  });

  test('has nothing of what the guest and the command line hold', async () => {
    expect(stderr).toMatch(
      /^vmwalk: [\d.]+ KiB of its stream were redacted\nvmwalk: .*redacted: QEMU \S+,.*\n$/,
    );
    expect(statSync(redacted).mode & 0o777).toBe(0o600);
    const number = Buffer.alloc(4);
    number.writeUInt32BE(REGISTER);
    const streamOf = async (file: string) => Buffer.from((await openProfile(file)).stream);
    for (const secret of [Buffer.from(TEXT), number]) {
      expect((await streamOf(whole)).includes(secret)).toBe(true);
      expect((await streamOf(redacted)).includes(secret)).toBe(false);
    }
    for (const word of ['OF-THE-DISK', 'OF-THE-OBJECT', 'OF-FW', 'OF-THE-JSON', 'OF-THE-BIOS']) {
      expect(textOf(whole)).toContain(word);
      expect(textOf(redacted)).not.toContain(word);
    }
    const { commandLine } = await openProfile(redacted);
    expect(commandLine).toContain('secret,id=key,data=REDACTED');
    expect(commandLine).toContain('{"qom-type":"secret","id":"json","data":"REDACTED"}');
    expect(commandLine).toContain('ide-hd,drive=d,serial=REDACTED');
  });

  test('has the same fields in the same places', async () => {
    const profiles = [await openProfile(whole), await openProfile(redacted)] as const;
    const [before, after] = [await openCapture(profiles[0]), await openCapture(profiles[1])];
    const ranges = profiles[1].redacted!.ranges;
    expect(ranges.length).toBeGreaterThan(10);
    const zeros = Buffer.from(profiles[0].stream);
    for (const [start, end] of ranges) zeros.fill(0, start, end);
    expect(zeros.equals(profiles[1].stream)).toBe(true);
    const others = layouts(after);
    for await (const layout of layouts(before)) {
      const other = (await others.next()).value!;
      expect([layout.section, isSameShape(layout.root, other.root)]).toEqual([layout.section, true]);
      expect(other.diagnostics).toEqual(layout.diagnostics);
    }
    expect(after.diagnostics).toEqual(before.diagnostics);
    const { stdout } = await vmwalk(['info', redacted]);
    expect(stdout).toMatch(/^ {2}redacted +[\d.]+ KiB, which are zeros$/m);
    // PCI configuration space, virtio and MAC addresses are as they were.
    const fields = [
      '**/vendor_id',
      '**/guest_features',
      '**/last_avail_idx',
      '**/mac',
      'globalstate/runstate',
    ];
    const dump = (file: string) => vmwalk(['dump', file, ...fields]);
    expect((await dump(redacted)).stdout).toBe((await dump(whole)).stdout);
  });

  test('is judged as the whole one, by what it has', async () => {
    const profile = await openProfile(whole);
    const secret = await openProfile(redacted);
    const other = {
      ...profile,
      ramBlocks: profile.ramBlocks.map((block) => ({ ...block, usedLength: 4096, maxLength: 4096 })),
    };
    for (const there of [profile, secret, other]) {
      const destination = await destinationOfProfile(there, 'there');
      const [a, b] = [
        await checkStream(await openCapture(profile), destination),
        await checkStream(await openCapture(secret), destination),
      ];
      expect(b.verdict).toBe(a.verdict);
      expect(a.verdict).toBe(there === other ? 'will be rejected' : 'no blocker found');
      const isNote = ({ message }: { message: string }) => message.includes('taken out of the capture');
      expect(b.findings.filter((finding) => !isNote(finding))).toEqual(a.findings);
      expect(b.findings.filter(isNote).map(({ section }) => section)).toContain('cpu');
    }
  });

  test('says in text which values were taken out, and in one note that they were', async () => {
    const { stdout } = await vmwalk([
      'dump',
      redacted,
      'cpu/env.regs',
      'mc146818rtc/cmos_data',
      'cpu/env.eip',
    ]);
    const values = stdout.split('\n').filter((line) => line.includes('  '));
    expect(values.filter((line) => line.endsWith('  (redacted)'))).toHaveLength(3);
    const check = (...args: string[]) => vmwalk(['check', redacted, '--profile', redacted, ...args]);
    const { stdout: text } = await check();
    expect(text.match(/taken out of the capture/g)).toHaveLength(1);
    expect(text).toMatch(
      /^note: not-checked\n {4}[\d.]+ KiB of \d+ sections were taken out of the capture: .* \(--notes lists them\)$/m,
    );
    const [, sections] = /of (\d+) sections/.exec(text) ?? [];
    const { stdout: listed } = await check('--notes');
    expect(listed.match(/of its bytes were taken out of the capture/g)).toHaveLength(Number(sections));
  });

  test('drops what is found in zeros, and keeps what is found beside them', async () => {
    const vm = await openCapture(await openProfile(redacted));
    const [[start, end] = [0, 0]] = (await openProfile(redacted)).redacted!.ranges;
    const at = (range: { start: number; end: number }) =>
      ({ rule: 'post-load', severity: 'blocks', message: '', range }) as const;
    const found = withoutRedacted(
      vm,
      [],
      [at({ start, end }), at({ start: start - 1, end }), at({ start, end: end + 1 })],
    );
    expect(found.map(({ range }) => range)).toEqual([
      { start: start - 1, end },
      { start, end: end + 1 },
    ]);
  });

  test('is made of captures alone, and read as carefully as they are', async () => {
    const profile = await openProfile(redacted);
    await expect(redactProfile({ ...profile, kind: 'profile' })).rejects.toThrow(
      'only a capture is redacted',
    );
    const json = JSON.parse(serializeProfile(profile));
    for (const ranges of [
      [[4, 2]],
      [[0, 1e9]],
      [
        [5, 9],
        [7, 8],
      ],
      [[0.5, 1]],
      'x',
    ])
      expect(() => parseProfile(JSON.stringify({ ...json, redacted: { ranges } }))).toThrow(
        /redacted\.ranges/,
      );
    expect(knowledgeOfCapture(parseProfile(JSON.stringify(json))).sender?.redacted?.length).toBeGreaterThan(
      10,
    );
    const { status, stderr } = await vmwalk(['capture', '--from', whole, '-o', join(folder, 'x')]);
    expect([status, stderr]).toEqual([2, `vmwalk: error: ${whole} is a file: --redact takes a capture\n`]);
  });
});
