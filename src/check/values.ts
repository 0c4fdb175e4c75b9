import { walk } from '../layout/children.ts';
import type { Shape } from '../layout/node.ts';
import { checkAhci } from './ahci.ts';
import { CPU_HOTPLUG, checkCpuHotplug } from './cpu-hotplug.ts';
import { checkCpuRegisters } from './cpu-registers.ts';
import { type Finding, FindingList } from './finding.ts';
import { checkGlobalState } from './global-state.ts';
import { checkPciConfig } from './pci-config.ts';
import { checkPostLoad, hasPostLoadRule } from './post-load.ts';
import { checkPpcCpu } from './ppc-cpu.ts';
import { checkSpaprCapabilities } from './spapr.ts';
import { checkTemporary } from './temporary.ts';
import { checkTpm } from './tpm.ts';
import type { SectionValues, ValueInput } from './value-input.ts';
import { checkVirtio } from './virtio.ts';
import { walkPairs } from './walk-pairs.ts';

/** Values that a load refuses, each rule for the infos or VMSDs that it knows. */
export function checkValues(values: SectionValues): readonly Finding[] {
  const findings = new FindingList([
    ...checkCpuRegisters(values),
    ...checkPpcCpu(values),
    ...checkGlobalState(values),
    ...checkSpaprCapabilities(values),
    ...checkAhci(values),
    ...checkTpm(values),
  ]);
  for (const { node, own, path } of walkPairs(values.root, values.own, isChecked)) {
    const input = { ...values, node, ownNode: own, path };
    const found = [
      ...(checks.get(node.type)?.(input) ?? []),
      ...checkPostLoad(input),
      ...checkCpuHotplug(input),
    ];
    for (const finding of found) findings.add({ path, range: node, ...finding });
  }
  return findings.list();
}

function isChecked(shape: Shape): boolean {
  if (shape.kind === 'array') return false;
  if (checks.has(shape.type)) return true;
  const vmsdName = shape.kind === 'struct' ? shape.vmsdName : undefined;
  return vmsdName !== undefined && (hasPostLoadRule(vmsdName) || vmsdName === CPU_HOTPLUG);
}

/** Rules by the info or the kind of struct that they are for. */
const checks: ReadonlyMap<string, (input: ValueInput) => readonly Finding[]> = new Map([
  ['int32 equal', checkEqual],
  ['uint8 equal', checkEqual],
  ['uint16 equal', checkEqual],
  ['uint32 equal', checkEqual],
  ['int64 equal', checkEqual],
  ['uint64 equal', checkEqual],
  ['int32 le', checkBound],
  ['pci config', checkPciConfig],
  ['pci irq state', checkIrqState],
  ['virtio', checkVirtio],
  ['tmp', checkTemporary],
]);

/** migration/vmstate-types.c, get_uint32_equal and its like. */
function checkEqual({ node, ownNode }: ValueInput): readonly Finding[] {
  if (node.kind !== 'leaf' || ownNode?.kind !== 'leaf' || node.value === ownNode.value) return [];
  const { value } = node;
  const local = ownNode.value;
  if (!isInteger(value) || !isInteger(local)) return [];
  return [
    {
      rule: 'unequal-field',
      severity: 'blocks',
      message: `${value}, and the destination has ${local}: they must be equal`,
      says: `${local.toString(16)} != ${value.toString(16)}`,
      fix: 'the same configuration of the device at both sides',
    },
  ];
}

/** migration/vmstate-types.c, get_int32_le: what is loaded must not be negative, nor more than what was there. */
function checkBound({ node, ownNode }: ValueInput): readonly Finding[] {
  if (node.kind !== 'leaf' || typeof node.value !== 'number') return [];
  const most = ownNode?.kind === 'leaf' && typeof ownNode.value === 'number' ? ownNode.value : undefined;
  if (node.value >= 0 && (most === undefined || node.value <= most)) return [];
  return [
    {
      rule: 'field-too-large',
      severity: 'blocks',
      message: `${node.value}, and the destination takes 0${most === undefined ? ' and more' : ` to ${most}`}`,
      says: `Invalid value ${node.value} expecting positive value <= ${most ?? '…'}`,
      fix: 'the same model and number of the device or CPU at both sides, or a newer QEMU at the destination',
    },
  ];
}

/** hw/pci/pci.c, get_pci_irq_state. */
function checkIrqState({ node }: ValueInput): readonly Finding[] {
  if (node.kind !== 'struct') return [];
  const findings: Finding[] = [];
  for (const { node: pin } of walk(node)) {
    if (pin.kind !== 'leaf' || typeof pin.value !== 'number' || pin.value === 0 || pin.value === 1) continue;
    findings.push({
      rule: 'pci-irq-state',
      severity: 'blocks',
      range: pin,
      message: `the level of pin ${pin.name} is ${pin.value}; it can be 0 or 1`,
      says: `irq state ${pin.value}: must be 0 or 1.`,
    });
  }
  return findings;
}

function isInteger(value: unknown): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint';
}
