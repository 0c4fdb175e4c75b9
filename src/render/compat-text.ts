import { appendTo } from '../bytes/append-to.ts';
import { printable } from '../bytes/diagnostic.ts';
import type { CompatFinding, CompatReport } from '../compat/compat.ts';
import type { Direction } from '../compat/direction.ts';
import type { MachineSummary } from '../compat/machines.ts';
import type { CompatRank, CompatRule } from '../compat/rules.ts';
import type { SideFacts } from '../compat/side.ts';
import { type SourceSymbol, sourceText } from '../schema/symbols.ts';
import { plainText, type TextOptions } from './style.ts';
import { type Column, formatTable } from './text-table.ts';
import { wrapLine } from './wrap.ts';

export interface CompatTextOptions extends TextOptions {
  /** Cosmetic findings, too. */
  readonly all: boolean;
}

/** Names of devices in a line. */
const MAX_DEVICES = 4;

const arrows: Readonly<Record<Direction, string>> = { 'old-to-new': 'old → new', 'new-to-old': 'new → old' };
const marks: Readonly<Record<CompatRank, string>> = {
  certain: 'breaks',
  conditional: 'may break',
  cosmetic: 'same bytes',
};

/** A comparison for people: by direction, the worst first; what only one side has in one line. */
export function* compatText(
  report: CompatReport,
  display: Partial<CompatTextOptions> = {},
): Generator<string> {
  const options: CompatTextOptions = { ...plainText, all: false, ...display };
  const { style } = options;
  yield* sideText('OLD', report.old, options);
  yield* sideText('NEW', report.new, options);
  const counts = report.directions.map((direction) => {
    const devices = new Set(
      report.findings
        .filter((finding) => finding.direction === direction && finding.rank === 'certain')
        .flatMap((finding) => finding.devices.map(({ name }) => name)),
    );
    return `${devices.size} break${devices.size === 1 ? 's' : ''} ${arrows[direction]}`;
  });
  yield `${report.compared} device${report.compared === 1 ? '' : 's'} compared: ${counts.join(', ')}`;
  for (const direction of report.directions) {
    const all = report.findings.filter((finding) => finding.direction === direction);
    const findings = all.filter(({ known }) => !known);
    const missing = findings.filter(({ rule }) => rule === 'compat-device-missing');
    const others = findings.filter(({ rule }) => rule !== 'compat-device-missing');
    const shown = others.filter(({ rank }) => options.all || rank !== 'cosmetic');
    const hidden = others.length - shown.length;
    if (all.length === 0) continue;
    yield '';
    yield style.heading(arrows[direction]);
    for (const [name, group] of byDevice(shown)) {
      yield `  ${style.name(printable(name))}`;
      for (const finding of group) yield* findingText(finding, options, report.machines.length);
    }
    if (missing.length > 0) {
      const side = direction === 'old-to-new' ? 'OLD' : 'NEW';
      const names = [...new Set(missing.map(({ vmsd }) => vmsd))].sort().map(printable);
      yield* wrapLine(`  only in ${side}, for VMs that have them: ${names.join(', ')}`, options.width, 2);
    }
    if (hidden > 0) yield style.faint(`  ${hidden} more on the same bytes (--all)`);
    const known = all.length - findings.length;
    if (known > 0) yield style.faint(`  ${known} known (--baseline)`);
  }
  if (report.machines.length > 0) {
    yield '';
    const [title = '', ...rows] = machineTable(report);
    yield style.heading(title);
    yield* rows;
  }
}

/** Machine types by what their VMs have; those behind each other that have the same are one row. */
function machineTable({ machines, directions }: CompatReport): string[] {
  const columns: Column[] = [
    { title: 'machine type', align: 'left' },
    ...directions.flatMap((direction) =>
      ['breaks', 'may break', 'gated'].map(
        (title): Column => ({ title: `${arrows[direction]} ${title}`, align: 'right' }),
      ),
    ),
    ...(machines.some(({ undecided }) => undecided.length > 0)
      ? [{ title: 'not known', align: 'left' } as const]
      : []),
  ];
  const rows = machines.map((machine) => ({ machine, cells: machineCells(machine) }));
  const groups: { readonly names: string[]; readonly cells: readonly string[] }[] = [];
  for (const { machine, cells } of rows) {
    const last = groups.at(-1);
    const isAlike =
      last !== undefined &&
      familyOf(last.names[0] ?? '') === familyOf(machine.machineType) &&
      last.cells.join() === cells.join();
    if (isAlike) last.names.push(machine.machineType);
    else groups.push({ names: [machine.machineType], cells });
  }
  return formatTable(
    columns,
    groups.map(({ names, cells }) => [
      printable(names.length > 1 ? `${names[0]} \u2026 ${names.at(-1)}` : (names[0] ?? '')),
      ...cells.slice(0, columns.length - 1),
    ]),
  );
}

function machineCells({ counts, undecided }: MachineSummary): string[] {
  return [
    ...counts.flatMap(({ certain, conditional, gated }) => [certain, conditional, gated].map(String)),
    undecided.map((side) => side.toUpperCase()).join(' and '),
  ];
}

/** A machine type without its version. */
function familyOf(machineType: string): string {
  return machineType.replace(/-[^-]*$/, '');
}

function* sideText(label: string, side: SideFacts, { style }: TextOptions): Generator<string> {
  const facts = [
    ...(side.qemuVersion === undefined ? [] : [`QEMU ${side.qemuVersion}`]),
    ...(side.target === undefined ? [] : [side.target]),
    ...(side.kind === 'dump' ? ['-dump-vmstate'] : []),
  ];
  yield `${style.name(label)}  ${printable([side.name, ...facts].join(', '))}`;
  for (const remark of side.remarks) yield style.faint(`     ${remark}`);
}

/** Under the device, or the struct or subsection inside of many. */
function byDevice(findings: readonly CompatFinding[]): Map<string, CompatFinding[]> {
  const groups = new Map<string, CompatFinding[]>();
  for (const finding of findings) {
    const names = [...new Set(finding.devices.map(({ name }) => name))];
    const title =
      names.length === 1 && names[0] !== undefined
        ? titleOf(
            names[0],
            finding.devices.flatMap(({ types }) => types),
          )
        : `${finding.vmsd} in ${listText(names)}`;
    appendTo(groups, title, finding);
  }
  return groups;
}

function titleOf(name: string, types: readonly string[]): string {
  const others = [...new Set(types)].filter((type) => type !== name);
  return others.length === 0 ? name : `${name} (${listText(others)})`;
}

function listText(names: readonly string[]): string {
  const more = names.length - MAX_DEVICES;
  return `${names.slice(0, MAX_DEVICES).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

function* findingText(
  finding: CompatFinding,
  { style, width, all }: CompatTextOptions,
  machines: number,
): Generator<string> {
  const { rank, rule, message, conditions, bytes, qemuSays, differences, symbols } = finding;
  const paint = rank === 'certain' ? style.error : rank === 'conditional' ? style.warning : style.faint;
  const where = placeText(finding);
  const distance =
    bytes === undefined || bytes === 0
      ? ''
      : ` (${Math.abs(bytes)} ${bytes < 0 ? 'fewer' : 'more'} read than sent)`;
  const text = printable(`${where}${message}${distance}`);
  const lines = [...wrapLine(`    ${marks[rank]}  ${text} [${rule}]`, width, 2)];
  yield (lines[0] ?? '').replace(marks[rank], paint(marks[rank]));
  yield* lines.slice(1);
  const places = symbolsText(symbols);
  if (places !== undefined)
    for (const line of wrapLine(`      ${printable(places)}`, width, 2)) yield style.faint(line);
  if (conditions.length > 0 && rule !== 'compat-unmigratable')
    yield* wrapLine(`      if ${printable(conditions.join('; and '))}`, width, 2);
  const { machineTypes = [] } = finding;
  if (machineTypes.length > 0 && machineTypes.length < machines)
    yield* wrapLine(`      for ${printable(listText(machineTypes))}`, width, 2);
  if (all)
    for (const difference of differences)
      yield* wrapLine(`      with it: ${printable(difference)}`, width, 2);
  else if (differences.length > 0)
    yield style.faint(
      `      with it ${differences.length} other difference${differences.length === 1 ? '' : 's'} (--all)`,
    );
  if (qemuSays !== undefined && rank === 'certain')
    yield* wrapLine(`      QEMU: ${printable(qemuSays)}`, width, 2);
}

/** Where the VMSD is in the source: once, where both sides have it at one place. */
function symbolsText(symbols: CompatFinding['symbols']): string | undefined {
  const text = (symbol: SourceSymbol | undefined) =>
    symbol && [symbol.name, sourceText(symbol) ?? []].flat().join(', ');
  const [old, fresh] = [text(symbols?.old), text(symbols?.new)];
  if (old === undefined || fresh === undefined || old === fresh) return fresh ?? old;
  return `OLD: ${old}; NEW: ${fresh}`;
}

/** Rules whose messages name the fields. */
const namesFields: ReadonlySet<CompatRule> = new Set([
  'compat-field-not-read',
  'compat-field-not-sent',
  'compat-fields-differ',
  'compat-bytes-regrouped',
  'compat-field-renamed',
]);

/** Which field, and where it is in the device. */
function placeText({ rule, vmsd, devices, fields }: CompatFinding): string {
  const path = devices.length === 1 ? (devices[0]?.path ?? []) : [];
  if (/^compat-version/.test(rule) && vmsd !== devices[0]?.name) return `${vmsd}: `;
  const around = path.slice(0, -1).join('/');
  if (fields.length === 0 || namesFields.has(rule)) return around === '' ? '' : `in ${around}: `;
  return `${around === '' ? '' : `${around}/`}${listText(fields)}: `;
}
