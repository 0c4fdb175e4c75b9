import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { compareToBaseline, findingId, parseBaseline, serializeBaseline } from '../../src/compat/baseline.ts';
import { type CompatReport, compareSides } from '../../src/compat/compat.ts';
import { compatRules } from '../../src/compat/rules.ts';
import { sideOfSchema } from '../../src/compat/side-of-schema.ts';
import type { Expression } from '../../src/expressions/expression.ts';
import { compatGithub, compatGitlab, compatJunit, compatSarif } from '../../src/render/compat-reports.ts';
import { compatText } from '../../src/render/compat-text.ts';
import { readXml } from '../check/xml.ts';
import { vmwalk } from '../cli/run.ts';
import { type TableField, tables } from './tables.ts';

const HOSTILE = '<&>"\'\u001b[31m]]>%0A,:: é\n::error::x';
const asks = (offset: number): Expression => ['ne', ['load', 'opaque', offset, 1], 0];
const fields: readonly TableField[] = [{ name: 'a' }, { name: 'b', info: 'uint16' }];
/** A field more, in a place of its own; its test asks a member at some offset. */
const changed = (offset: number): readonly TableField[] => [
  { name: 'a' },
  { name: 'b', info: 'uint32' },
  { name: `new ${HOSTILE}`, exists: asks(offset) },
];

function reportOf(fresh: readonly TableField[], name = 'dev'): CompatReport {
  const made = tables([{ name, types: [name], fields: fresh }]);
  const symbol = { name: 'vmstate_dev', file: 'hw/net/a,b:c%.c', line: 597, struct: undefined };
  const symbols = { functions: [], vmsds: made.vmsds.map(() => symbol), structs: [], variables: [] };
  const old = sideOfSchema(tables([{ name, types: [name], fields }]), 'old');
  return compareSides(old, sideOfSchema({ ...made, symbols }, 'new'), { direction: 'old-to-new' });
}

const report = reportOf(changed(200));
const failing = ['certain'] as const;

describe('a finding', () => {
  test('has an id in which no place in memory is', () => {
    expect(report.findings.map(({ rank }) => rank)).toEqual(['certain', 'conditional']);
    expect(reportOf(changed(300)).findings.map(findingId)).toEqual(report.findings.map(findingId));
    expect(findingId(report.findings[0]!)).toBe('compat-fields-differ old-to-new dev b');
  });

  test('says where its VMSD is in the source', () => {
    expect(report.findings[0]!.symbols?.new).toMatchObject({ file: 'hw/net/a,b:c%.c', line: 597 });
  });
});

describe('a baseline', () => {
  const text = serializeBaseline(report);

  test('knows what it was made of, in another build, too', () => {
    const { report: known, gone } = compareToBaseline(reportOf(changed(300)), parseBaseline(text));
    expect(known.findings.map((each) => each.known)).toEqual([true, true]);
    expect(gone).toEqual([]);
    const lines = [...compatText(known)];
    expect(lines).toContain('  2 known (--baseline)');
    expect(lines.some((line) => line.includes('breaks  '))).toBe(false);
  });

  test('knows nothing that is new, or worse', () => {
    const more = compareToBaseline(reportOf([...changed(200), { name: 'c' }]), parseBaseline(text)).report;
    expect(more.findings.filter(({ known }) => !known).length).toBeGreaterThan(0);
    const worse = compareToBaseline(report, parseBaseline(text.replace('certain', 'conditional'))).report;
    expect(worse.findings.map(({ known }) => known)).toEqual([undefined, true]);
    const better = compareToBaseline(report, parseBaseline(text.replace('conditional', 'certain'))).report;
    expect(better.findings.map(({ known }) => known)).toEqual([true, true]);
  });

  test('tells what is gone', () => {
    const { gone } = compareToBaseline(reportOf(fields), parseBaseline(text));
    expect(gone).toEqual(report.findings.map(findingId).sort());
  });

  test('that is none is refused, with the reason', () => {
    const refuse = (json: string) => () => parseBaseline(json, 'b.json');
    expect(refuse('{')).toThrow(/^b\.json is no usable baseline: it is not valid JSON/);
    expect(refuse('{"format": 1}')).toThrow('"format" is not "vmwalk-compat-baseline"');
    expect(refuse(text.replace('":1,', '":2,'))).toThrow('"formatVersion" is not 1');
    expect(refuse(text.replace('"certain"', '"bad"'))).toThrow(
      '"findings[1].rank" is none of certain, conditional, cosmetic',
    );
    expect(refuse(text.replace(/"id":".*?(?<!\\)"/, '"id":7'))).toThrow('"findings[0].id" is not a string');
  });
});

describe('for CI systems, whatever the names are', () => {
  test('GitHub: a line for each, of which nothing is another command', () => {
    const lines = [...compatGithub(report, { failing })];
    expect(lines).toHaveLength(2);
    for (const line of lines) {
      const [, kind, properties, message] = /^::(\w+) ([^:]*)::(.*)$/.exec(line)!;
      expect(['error', 'warning']).toContain(kind);
      expect(properties).toMatch(/^file=hw\/net\/a%2Cb%3Ac%25\.c,line=597,title=compat-[\w-]+$/);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: none may be there
      expect(message).not.toMatch(/[\u0000-\u001f]|%(?!25|0A|0D)/);
    }
    expect(lines[0]).toMatch(/^::error .*::old -> new breaks: dev\/b: /);
    expect([...compatGithub(report, { failing: ['certain', 'conditional'] })].join('\n')).not.toMatch(
      /^::warning/m,
    );
  });

  test('GitLab: what its schema requires, each with a fingerprint of its own', () => {
    const issues = compatGitlab(report) as unknown as Record<string, unknown>[];
    expect(issues.map(({ severity }) => severity)).toEqual(['critical', 'minor']);
    expect(new Set(issues.map(({ fingerprint }) => fingerprint)).size).toBe(2);
    for (const issue of issues) {
      expect(Object.keys(issue)).toEqual([
        'description',
        'check_name',
        'fingerprint',
        'severity',
        'location',
      ]);
      expect(issue['location']).toEqual({ path: 'hw/net/a,b:c%.c', lines: { begin: 597 } });
    }
  });

  test('JUnit: what fails, and that all else passed', () => {
    const root = readXml(compatJunit(report, { failing }));
    expect(root.attributes).toMatchObject({ name: 'vmwalk compat', tests: '2', failures: '1', errors: '0' });
    const [device, others] = root.children[0]!.children;
    expect(device!.attributes['name']).toBe('old -> new dev');
    expect(device!.children.map(({ name }) => name)).toEqual(['failure', 'system-out']);
    expect(device!.children[0]!.attributes['type']).toBe('compat-fields-differ');
    expect(others!.children).toEqual([]);
    const all = readXml(compatJunit(report, { failing: ['certain', 'conditional'] }));
    expect(all.children[0]!.children[0]!.children.map(({ name }) => name)).toEqual(['failure']);
  });

  test('SARIF: places in the source, and what a baseline knows', () => {
    const log = (of: CompatReport) => JSON.parse(JSON.stringify(compatSarif(of, '1.2.3'))).runs[0];
    const { tool, results } = log(report);
    expect(tool.driver.rules.map(({ id }: { id: string }) => id)).toEqual(compatRules.map(([id]) => id));
    expect(results.map(({ level }: { level: string }) => level)).toEqual(['error', 'warning']);
    const { artifactLocation, region } = results[0].locations[0].physicalLocation;
    expect(decodeURIComponent(artifactLocation.uri)).toBe('hw/net/a,b:c%.c');
    expect(region).toEqual({ startLine: 597 });
    expect(results[0]).not.toHaveProperty('baselineState');
    const known = parseBaseline(serializeBaseline({ ...report, findings: report.findings.slice(0, 1) }));
    const states = log(compareToBaseline(report, known).report).results.map(
      ({ baselineState }: { baselineState: string }) => baselineState,
    );
    expect(states).toEqual(['unchanged', 'new']);
  });
});

describe('the command', () => {
  const folder = mkdtempSync(join(tmpdir(), 'vmwalk-compat-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'known.json');
  const args = ['compat', '7.2-x86_64', '11.1-x86_64', '--only', 'isa-vga', '--only', 'e1000e'];

  test('counts what a baseline does not have', async () => {
    const first = await vmwalk([...args, '--write-baseline', file]);
    expect(first.status).toBe(1);
    expect(JSON.parse(readFileSync(file, 'utf8')).findings.length).toBeGreaterThan(2);
    const again = await vmwalk([...args, '--baseline', file, '--fail-on', 'conditional', '--json']);
    expect([again.status, again.stderr]).toEqual([0, '']);
    expect(
      JSON.parse(again.stdout).findings.filter(({ known }: { known?: true }) => known).length,
    ).toBeGreaterThan(2);
    const others = await vmwalk([
      'compat',
      '7.2-x86_64',
      '11.1-x86_64',
      '--only',
      'e1000e',
      '--baseline',
      file,
    ]);
    expect(others.status).toBe(0);
    expect(others.stderr).toMatch(/^vmwalk: \d of the baseline are gone: /);
  });

  test('prints one form', async () => {
    const forms = ['--json', '--junit', '--sarif', '--github', '--gitlab', '--mail'];
    for (const [i, form] of forms.entries())
      for (const other of forms.slice(i + 1)) expect((await vmwalk([...args, form, other])).status).toBe(2);
    expect((await vmwalk([...args, '--github'])).stdout).toMatch(
      /^::error title=compat-name-changed::old -> new breaks: /m,
    );
    const gitlab = JSON.parse((await vmwalk([...args, '--gitlab'])).stdout);
    expect(gitlab[0].location).toEqual({ path: '11.1-x86_64', lines: { begin: 1 } });
    expect(readXml((await vmwalk([...args, '--junit'])).stdout.trimEnd()).name).toBe('testsuites');
    expect(JSON.parse((await vmwalk([...args, '--sarif'])).stdout).version).toBe('2.1.0');
  });

  test('refuses a baseline that is none', async () => {
    writeFileSync(join(folder, 'bad.json'), '{}');
    const bad = await vmwalk([...args, '--baseline', join(folder, 'bad.json')]);
    expect([bad.status, bad.stdout]).toEqual([2, '']);
    expect(bad.stderr).toContain('is no usable baseline: "format" is not');
    expect((await vmwalk([...args, '--baseline', join(folder, 'none.json')])).status).toBe(2);
  });
});
