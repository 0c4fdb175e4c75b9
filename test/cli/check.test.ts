import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { hasSaid, recorded } from '../check/recorded.ts';
import { readXml } from '../check/xml.ts';
import { fixtures, readFixture } from '../fixtures.ts';
import { fixtureFile, temporaryFile, temporaryFolder, vmwalk } from './run.ts';

const fixture = (name: string) => fixtureFile(fixtures.find((each) => each.name === name)!);

/** A destination, a stream that it refused, and one that it loads: its own. */
function files() {
  const load = recorded('missing-rtl8139 ab 7.2 to 7.2');
  expect(load.loaded).toBe(false);
  const there = load.profile();
  return {
    profile: temporaryFile(there, 'there.qevm'),
    fine: temporaryFile(there, 'fine.qevm'),
    refused: temporaryFile(load.stream(), 'refused.qevm'),
    words: load.words,
  };
}

describe('exit status', () => {
  test('0: nothing was found', async () => {
    const { profile, fine } = files();
    const { status, stdout, stderr } = await vmwalk(['check', fine, '--profile', profile]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/: no blocker found$/m);
    expect(stderr).toMatch(/^vmwalk: destination: taken to be QEMU \d+\.\d+\.\d+.*, x86_64/);
  });

  test('1: will be rejected, in the words of QEMU', async () => {
    const { profile, refused, words } = files();
    const { status, stdout } = await vmwalk(['check', refused, '--profile', profile]);
    expect(status).toBe(1);
    expect(stdout).toMatch(/: will be rejected$/m);
    const device = /'(0000:00:02\.0\/rtl8139)'/.exec(words[0]!)![1]!;
    expect(stdout).toMatch(new RegExp(`^blocks: unknown-section {2}${device}, at 0x`, 'm'));
    expect(stdout).toContain(`section or instance '${device}' 0.`);
  });

  test('2: wrong usage, or what cannot be read', async () => {
    const { profile, fine } = files();
    const text = temporaryFile(Buffer.from('root:x:0:0:root:/root:/bin/bash\n'), 'passwd');
    for (const args of [
      ['check'],
      ['check', fine],
      ['check', fine, '--profile'],
      ['check', '--profile', profile],
      ['check', fine, '--profile', profile, '--json', '--junit'],
      ['check', fine, '--profile', profile, '--json', '--sarif'],
      ['check', fine, '--profile', profile, '--junit', '--sarif'],
      ['check', fine, '--qemu', 'a', '--schema', 'b'],
      ['check', fine, '--no-such-option'],
      ['check', text, '--profile', profile],
      ['check', fine, '--profile', text],
      ['check', `${fine}.gone`, '--profile', profile],
      ['check', fine, '--profile', `${profile}.gone`],
      ['check', fine, '--schema', text],
    ]) {
      const { status, stderr, stdout } = await vmwalk(args);
      expect({ args, status, stdout }).toEqual({ args, status: 2, stdout: '' });
      expect(stderr).toMatch(/error: /);
    }
  });

  test('a header that is damaged is rejected, and no trouble', async () => {
    const { profile } = files();
    for (const what of ['magic', 'version-2', 'version-4', 'leading-junk']) {
      const load = recorded(`pc-nics@5.2 7.2 to 7.2 damaged framing: ${what}`);
      const file = temporaryFile(load.stream());
      const { status, stdout } = await vmwalk(['check', '--json', file, '--profile', profile]);
      expect({ what, status }).toEqual({ what, status: 1 });
      const [{ findings }] = JSON.parse(stdout);
      expect(hasSaid(load.words, findings[0].says), findings[0].says).toBe(true);
    }
  });
});

test('standard input', async () => {
  const { profile } = files();
  const { stream } = recorded('missing-rtl8139 ab 7.2 to 7.2');
  const { status, stdout } = await vmwalk(['check', '-', '--profile', profile], { input: stream() });
  expect(status).toBe(1);
  expect(stdout).toContain('unknown-section');
});

describe('formats', () => {
  test('--json, --junit and --sarif of nothing that could be read are still that', async () => {
    const { profile } = files();
    const run = (format: string) => vmwalk(['check', format, '/nowhere/vm.qevm', '--profile', profile]);
    const json = await run('--json');
    expect(json.status).toBe(2);
    const reason = expect.stringContaining('no such file');
    const unread = { name: '/nowhere/vm.qevm', verdict: 'cannot tell', reason, findings: [] };
    expect(JSON.parse(json.stdout)).toEqual([unread]);
    // The name of the file once, and in one line.
    expect(json.stderr).toMatch(/^vmwalk: error: cannot read \/nowhere\/vm\.qevm: [^\n]*\n$/m);
    const junit = (await run('--junit')).stdout;
    expect(readXml(junit)).toMatchObject({ name: 'testsuites' });
    expect(junit).toContain('tests="1" failures="0" errors="1"');
    expect(JSON.parse((await run('--sarif')).stdout).runs[0].results).toEqual([]);
  });

  test('--json has a report for each stream', async () => {
    const { profile, fine, refused } = files();
    const { status, stdout } = await vmwalk(['check', '--json', fine, refused, '--profile', profile]);
    expect(status).toBe(1);
    const reports = JSON.parse(stdout);
    expect(reports.map(({ name, verdict }: { name: string; verdict: string }) => [name, verdict])).toEqual([
      [fine, 'no blocker found'],
      [refused, 'will be rejected'],
    ]);
    const [finding] = reports[1].findings;
    expect(finding).toMatchObject({
      rule: 'unknown-section',
      severity: 'blocks',
      section: '0000:00:02.0/rtl8139',
      instanceId: 0,
      message: expect.any(String),
      says: expect.any(String),
      fix: expect.any(String),
    });
    // The record begins with its type, FULL.
    expect(recorded('missing-rtl8139 ab 7.2 to 7.2').stream()[finding.range.start]).toBe(4);
  });

  test('--junit and --sarif', async () => {
    const { profile, fine, refused } = files();
    const junit = await vmwalk(['check', '--junit', fine, refused, '--profile', profile]);
    expect(junit.status).toBe(1);
    expect(readXml(junit.stdout.trimEnd()).attributes).toMatchObject({
      tests: '2',
      failures: '1',
      errors: '0',
    });
    const sarif = await vmwalk(['check', '--sarif', fine, refused, '--profile', profile]);
    expect(sarif.status).toBe(1);
    const { version, runs } = JSON.parse(sarif.stdout);
    expect(version).toBe('2.1.0');
    expect(runs[0].tool.driver.version).toMatch(/^\d+\.\d+\.\d+/);
    expect(runs[0].results.some(({ level }: { level: string }) => level === 'error')).toBe(true);
  });

  test('each rule that is found can be explained', async () => {
    const { stdout, status } = await vmwalk(['explain', 'unknown-section']);
    expect(status).toBe(0);
    expect(stdout).toContain('Unknown savevm section or instance');
  });
});

describe('several streams', () => {
  test('are a table, the worst first', async () => {
    const { profile, fine, refused } = files();
    const { status, stdout } = await vmwalk(['check', fine, refused, '--profile', profile]);
    expect(status).toBe(1);
    const lines = stdout.trimEnd().split('\n');
    expect(lines.length).toBe(3);
    expect(lines[1]).toMatch(
      /^will be rejected +[1-9]\d* .*refused\.qevm .*unknown-section: 0000:00:02\.0\/rtl8139: /,
    );
    expect(lines[2]).toMatch(/^no blocker found +0 .*fine\.qevm/);
  });

  test('one that cannot be read: the others are reported', async () => {
    const { profile, fine, refused } = files();
    const text = temporaryFile(Buffer.from('no stream\n'), 'text');
    const args = ['check', fine, text, `${fine}.gone`, refused, '--profile', profile];
    const table = await vmwalk(args);
    expect(table.status).toBe(2);
    expect(table.stdout.trimEnd().split('\n').length).toBe(5);
    expect(table.stdout.match(/cannot tell/g)).toHaveLength(2);
    expect(table.stderr.match(/^vmwalk: error: /gm)?.length).toBe(2);
    expect(table.stderr).toContain(`${fine}.gone`);
    const json = await vmwalk([...args, '--json']);
    expect(json.status).toBe(2);
    const verdicts = JSON.parse(json.stdout).map(({ verdict }: { verdict: string }) => verdict);
    expect(verdicts).toEqual(['no blocker found', 'cannot tell', 'cannot tell', 'will be rejected']);
  });
});

test('a destination of which only the tables are known', async () => {
  const schema = join(import.meta.dirname, '../../schemas/7.2-x86_64.json.gz');
  const newer = temporaryFile(recorded('pc-misc@5.2 11.1 to 7.2').stream());
  const rejected = await vmwalk(['check', newer, '--schema', schema]);
  expect(rejected.status).toBe(1);
  expect(rejected.stdout).toContain("unsupported version 2 for 'ipmi-bmc-sim' v1");
  const own = await vmwalk(['check', fixture('qemu-7.2-multifd'), '--schema', schema]);
  expect(own.status).toBe(0);
});

test('--notes shows what does no harm', async () => {
  const load = recorded('missing-rtl8139 ba 7.2 to 7.2');
  const args = ['check', temporaryFile(load.stream()), '--profile', temporaryFile(load.profile(), 'there')];
  const plain = await vmwalk(args);
  expect(plain.status).toBe(0);
  expect(plain.stdout).not.toContain('missing-section');
  expect(plain.stdout).toMatch(/\d+ notes?; --notes shows/);
  const noted = await vmwalk([...args, '--notes']);
  expect(noted.status).toBe(0);
  expect(noted.stdout).toMatch(/^note: missing-section {2}0000:00:02\.0\/rtl8139$/m);
});

const QEMU = 'qemu-system-x86_64';

describe('a profile of the QEMU that is installed', () => {
  const MACHINE = ['-M', 'pc', '-m', '16', '-nodefaults', '-display', 'none', '-accel', 'tcg'];

  /** What `vmwalk profile` writes of these devices. */
  async function profile(...devices: readonly string[]): Promise<string> {
    const file = join(temporaryFolder(), 'there.profile');
    const { status, stderr } = await vmwalk(['profile', '-o', file, '--', QEMU, ...MACHINE, ...devices]);
    expect({ status, stderr }).toMatchObject({ status: 0 });
    expect(existsSync(file)).toBe(true);
    return file;
  }

  test('takes its own state, and no device that it does not have', async () => {
    const nic = ['-device', 'e1000,romfile='];
    const [plain, withNic] = [await profile(), await profile(...nic)];
    expect((await vmwalk(['check', withNic, '--profile', withNic])).status).toBe(0);
    expect((await vmwalk(['check', plain, '--profile', withNic])).status).toBe(0);
    const { status, stdout } = await vmwalk(['check', '--json', withNic, '--profile', plain]);
    expect(status).toBe(1);
    const blocks = JSON.parse(stdout)[0].findings.filter(
      ({ severity }: { severity: string }) => severity === 'blocks',
    );
    expect(
      blocks.map(({ rule, section }: { rule: string; section: string }) => [
        rule,
        section.replace(/.*\//, ''),
      ]),
    ).toEqual([['unknown-section', 'e1000']]);
  });
});

test('a stream in front of a damaged one keeps its report', async () => {
  const { profile, fine } = files();
  const bytes = readFixture('qemu-7.2-multifd');
  const cut = temporaryFile(bytes.subarray(0, 3000), 'cut.qevm');
  const { status, stdout } = await vmwalk(['check', '--json', fine, cut, '--profile', profile]);
  expect(status).toBe(1);
  const reports = JSON.parse(stdout);
  expect(reports.map(({ verdict }: { verdict: string }) => verdict)).toEqual([
    'no blocker found',
    'will be rejected',
  ]);
});

describe('several destinations', () => {
  test('each have what they have alone, in a grid and in all forms of output', async () => {
    const { profile, fine, refused } = files();
    const other = temporaryFile(readFileSync(refused), 'other.qevm');
    const streams = [refused, fine];
    const single = async (destination: string) => {
      const { stdout } = await vmwalk(['check', ...streams, '--profile', destination, '--json']);
      return JSON.parse(stdout) as { name: string; verdict: string; findings: object[] }[];
    };
    const [here, there] = [await single(other), await single(profile)];
    const verdicts = streams.map((_, i) => [here[i]!.verdict, there[i]!.verdict]);
    expect(verdicts[0]).toEqual(['no blocker found', 'will be rejected']);
    const args = ['check', ...streams, '--profile', other, '--profile', profile];
    const { stdout, status } = await vmwalk(args);
    expect(status).toBe(1);
    const [titles, ...rows] = stdout.split('\n');
    expect(titles!.trim().split(/ {2,}/)).toEqual(['FROM \\ TO', 'best', other, profile]);
    for (const [i, stream] of streams.entries())
      expect(rows[i]!.trim().split(/ {2,}/)).toEqual([stream, other, ...verdicts[i]!]);
    expect(rows.slice(2).join('\n')).toContain(`${refused} for ${profile}`);
    const json = JSON.parse((await vmwalk([...args, '--json'])).stdout);
    expect(json).toEqual(
      streams.flatMap((_, i) => [
        { ...here[i], destination: other },
        { ...there[i], destination: profile },
      ]),
    );
    const [suite] = readXml((await vmwalk([...args, '--junit'])).stdout).children;
    expect(suite!.children.map(({ attributes }) => attributes['name'])).toEqual(
      streams.flatMap((stream) => [`${stream} for ${other}`, `${stream} for ${profile}`]),
    );
    const { runs } = JSON.parse((await vmwalk([...args, '--sarif'])).stdout);
    const error = runs[0].results.find(({ level }: { level: string }) => level === 'error');
    expect(error.message.text.startsWith(`for ${profile}: `)).toBe(true);
    expect(error.locations[0].physicalLocation.artifactLocation.uri).toContain('refused.qevm');
  });

  test('are said which of them a file cannot be read for, and one that cannot be read ends it', async () => {
    const { profile, fine } = files();
    const two = ['--profile', profile, '--profile', fine];
    const { status, stdout } = await vmwalk(['check', 'none.qevm', ...two, '--json']);
    expect(status).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject([
      { destination: profile, verdict: 'cannot tell' },
      { destination: fine, verdict: 'cannot tell' },
    ]);
    const gone = await vmwalk(['check', fine, ...two, '--profile', 'none.profile']);
    expect([gone.status, gone.stdout]).toEqual([2, '']);
    expect(gone.stderr).toContain('none.profile');
  });
});
