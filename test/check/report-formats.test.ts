import { describe, expect, test } from 'vitest';
import { MAX_OF_ONE_KIND } from '../../src/bytes/bounded-list.ts';
import { type CheckReport, type Finding, report } from '../../src/check/finding.ts';
import { rules } from '../../src/check/rules.ts';
import { checkJunit } from '../../src/render/check-junit.ts';
import { checkSarif } from '../../src/render/check-sarif.ts';
import { checkTable, checkText } from '../../src/render/check-text.ts';
import { plainStyle as style } from '../../src/render/style.ts';
import { readXml } from './xml.ts';

const HOSTILE = '<&>"\'\u0000\u001b[31m]]>\ud800\uffff é\n</testcase>';

const finding: Finding = {
  rule: 'unknown-section',
  severity: 'blocks',
  message: `message ${HOSTILE}`,
  section: `section ${HOSTILE}`,
  instanceId: 3,
  path: [`path ${HOSTILE}`, 7],
  range: { start: 16, end: 48 },
  says: `says ${HOSTILE}`,
  fix: `fix ${HOSTILE}`,
};
const rejected: CheckReport = {
  name: `name ${HOSTILE}`,
  verdict: 'will be rejected',
  reason: undefined,
  findings: [finding, { ...finding, severity: 'note' }],
};
const open: CheckReport = { name: 'b', verdict: 'cannot tell', reason: HOSTILE, findings: [] };
const fine: CheckReport = {
  name: 'c',
  verdict: 'no blocker found',
  reason: undefined,
  findings: [{ rule: 'capabilities', severity: 'suspicious', message: 'm' }],
};

describe('JUnit', () => {
  test('is XML, whatever the names are', () => {
    const root = readXml(checkJunit([rejected, open, fine]));
    expect(root).toMatchObject({
      name: 'testsuites',
      attributes: { tests: '3', failures: '1', errors: '1' },
    });
    const [suite] = root.children;
    expect(suite).toMatchObject({
      name: 'testsuite',
      attributes: { tests: '3', failures: '1', errors: '1' },
    });
    expect(
      suite!.children.map(({ name, children }) => [name, ...children.map((child) => child.name)]),
    ).toEqual([
      ['testcase', 'failure', 'system-out'],
      ['testcase', 'error'],
      ['testcase', 'system-out'],
    ]);
  });

  test('a failure has the rule, and what QEMU says', () => {
    const [suite] = readXml(checkJunit([rejected])).children;
    const [failure] = suite!.children[0]!.children;
    expect(failure!.attributes['type']).toBe('unknown-section');
    expect(failure!.attributes['message']).toContain('will be rejected: message <&>"\'');
    expect(failure!.text).toContain('QEMU says: says <&>');
  });

  test('without streams there are no tests', () => {
    expect(readXml(checkJunit([]))).toMatchObject({ attributes: { tests: '0', failures: '0', errors: '0' } });
  });
});

/** Members that the schema of SARIF 2.1.0 requires, and the types of those that are there. */
interface Sarif {
  readonly version: string;
  readonly $schema: string;
  readonly runs: readonly {
    readonly tool: {
      readonly driver: {
        readonly name: string;
        readonly rules: readonly {
          readonly id: string;
          readonly shortDescription: { readonly text: string };
        }[];
      };
    };
    readonly results: readonly {
      readonly ruleId: string;
      readonly ruleIndex: number;
      readonly level: string;
      readonly message: { readonly text: string };
      readonly locations: readonly {
        readonly physicalLocation: {
          readonly artifactLocation: { readonly uri: string };
          readonly region?: { readonly byteOffset: number; readonly byteLength: number };
        };
        readonly logicalLocations?: readonly { readonly fullyQualifiedName: string }[];
      }[];
    }[];
  }[];
}

describe('SARIF', () => {
  const sarif = (reports: readonly CheckReport[]) =>
    JSON.parse(JSON.stringify(checkSarif(reports, '1.2.3'))) as Sarif;

  test('has what 2.1.0 requires', () => {
    const log = sarif([rejected, open, fine]);
    expect(log.version).toBe('2.1.0');
    expect(log.$schema).toMatch(/^https:.*sarif.*2\.1\.0/);
    const [run] = log.runs;
    expect(run!.tool.driver.name).toBe('vmwalk');
    const ids = run!.tool.driver.rules.map(({ id }) => id);
    expect(ids).toEqual(Object.keys(rules));
    expect(new Set(ids).size).toBe(ids.length);
    for (const { shortDescription } of run!.tool.driver.rules) expect(shortDescription.text).not.toBe('');
    expect(run!.results.length).toBe(3);
    for (const { ruleId, ruleIndex, level, message, locations } of run!.results) {
      expect(ids[ruleIndex]).toBe(ruleId);
      expect(['none', 'note', 'warning', 'error']).toContain(level);
      expect(message.text).not.toBe('');
      // A reference to a URI (RFC 3986): no blanks, no control characters, percent signs before two digits only.
      for (const { physicalLocation } of locations)
        expect(physicalLocation.artifactLocation.uri).toMatch(
          /^(?:[\w\-.~!$&'()*+,;=:@/?#[\]]|%[0-9A-F]{2})*$/,
        );
    }
    expect(run!.results.map(({ level }) => level)).toEqual(['error', 'note', 'warning']);
    expect(run!.results[0]!.locations[0]!.physicalLocation.region).toEqual({
      byteOffset: 16,
      byteLength: 32,
    });
    expect(run!.results[2]!.locations[0]!.physicalLocation.region).toBeUndefined();
  });

  test('a file name is no scheme, query or fragment of a URI', () => {
    for (const name of ['disk.qcow2#snap', 'a?b', '100%', 'C:\\vm', 'a b']) {
      const { uri } = sarif([{ ...fine, name }]).runs[0]!.results[0]!.locations[0]!.physicalLocation
        .artifactLocation;
      expect(decodeURIComponent(uri)).toBe(name);
      expect(uri).not.toMatch(/[?#\\ ]/);
    }
  });
});

describe('text', () => {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not come out.
  const CONTROL = /[\u0000-\u0009\u000b-\u001f\u007f]/;

  test('control characters of a stream do not reach a terminal', () => {
    const text = [...checkText(rejected, { style, notes: true })].join('\n');
    expect(text).not.toMatch(CONTROL);
    expect(checkTable([rejected, open, fine]).join('\n')).not.toMatch(CONTROL);
  });

  test('notes are hidden, and counted', () => {
    const count = (notes: boolean) =>
      [...checkText(rejected, { style, notes })].filter((line) => line.includes('unknown-section')).length;
    expect([count(false), count(true)]).toEqual([1, 2]);
    expect([...checkText(rejected, { style, notes: false })].at(-1)).toContain('1 note; --notes shows it');
  });

  test('a table has the worst first: rejected, untold, then by what is found', () => {
    const worse: CheckReport = { ...rejected, name: 'worse', findings: [finding, finding, finding] };
    const lines = checkTable([fine, open, rejected, worse]).slice(1);
    expect(lines.map((line) => /^(will be rejected|cannot tell|no blocker found) /.exec(line)?.[1])).toEqual([
      'will be rejected',
      'will be rejected',
      'cannot tell',
      'no blocker found',
    ]);
    expect(lines[0]).toContain('worse');
  });
});

describe('more findings of one kind than anyone reads', () => {
  const blocking = Array.from({ length: 5 * MAX_OF_ONE_KIND }, (_, i): Finding => {
    const start = 1_000_000 - i;
    return { rule: 'unequal-field', severity: 'blocks', message: 'm', range: { start, end: start + 1 } };
  });
  const notes = Array.from(
    { length: MAX_OF_ONE_KIND + 1 },
    (): Finding => ({ ...blocking[0]!, severity: 'note' }),
  );
  const many = report('many', [...notes, ...blocking, finding, { ...finding, more: 7 }], undefined);

  test('the first in the stream are kept, and those beyond are counted', () => {
    const kept = many.findings.filter(
      ({ rule, severity }) => rule === 'unequal-field' && severity === 'blocks',
    );
    expect(kept.length).toBe(MAX_OF_ONE_KIND);
    expect(kept[0]?.range?.start).toBe(1_000_001 - blocking.length);
    expect(kept.map(({ more }) => more).filter(Boolean)).toEqual([4 * MAX_OF_ONE_KIND]);
    expect(many.findings.find(({ more, rule }) => more && rule === finding.rule)?.more).toBe(7);
  });

  test('text, the table, JUnit and SARIF say how many more there are', () => {
    const text = [...checkText(many, { style, notes: false })];
    expect(text).toContain('    m (and 400 more like it)');
    expect(text.at(-1)).toContain('101 notes; --notes shows them');
    expect(checkTable([many])[1]).toMatch(/^will be rejected +509 /);
    const [suite] = readXml(checkJunit([many])).children;
    expect(suite!.children[0]!.children[0]!.text).toContain(': m (and 400 more like it)');
    const { results } = (checkSarif([many], '1.2.3') as Sarif).runs[0]!;
    expect(results.map(({ message }) => message.text).join()).toContain('m (and 400 more like it)');
  });
});
