import { printable } from '../bytes/diagnostic.ts';
import type { OpenedStream } from '../layout/open.ts';
import { QEMU_VM_CONFIGURATION } from '../stream/records.ts';
import type { Destination } from './destination.ts';
import type { Finding } from './finding.ts';
import { unknownTypeWords } from './version.ts';

/** Capabilities that a load compares with the source's (migration/savevm.c, should_validate_capability). */
const VALIDATED_CAPABILITIES = ['x-ignore-shared', 'mapped-ram'];

/** What stands before the first section. */
export function checkConfiguration({ stream }: OpenedStream, destination: Destination): Finding[] {
  const findings: Finding[] = [];
  const { configuration } = stream;
  const own = destination.own?.stream.configuration;
  const place = configuration && { section: 'configuration', range: configuration.range };
  if (configuration && own) {
    const { machineType } = configuration;
    if (machineType !== own.machineType) {
      findings.push({
        rule: 'machine-type',
        severity: 'blocks',
        ...place,
        message: `machine type ${printable(machineType)}, and the destination is ${printable(own.machineType)}`,
        says: `Machine type received is '${machineType}' and local is '${own.machineType}'`,
        fix: `start the destination with -machine ${machineType}`,
      });
    }
    const bits = configuration.targetPageBits;
    const ownBits = own.targetPageBits;
    if (bits !== undefined && ownBits !== undefined && bits !== ownBits) {
      findings.push({
        rule: 'target-page-bits',
        severity: 'blocks',
        ...place,
        message: `pages of ${2 ** bits} bytes, and the destination has ${2 ** ownBits}`,
        says: `Received TARGET_PAGE_BITS is ${bits} but local is ${ownBits}`,
        fix: 'the same machine type at both sides',
      });
    }
    findings.push(
      ...checkCapabilities(configuration.capabilities ?? [], own.capabilities ?? [], destination).map(
        (finding) => ({ ...place, ...finding }),
      ),
    );
    // Of a destination without a UUID, QEMU only warns.
    const local = own.uuid ?? destination.facts?.uuid;
    const ownUuid = /[^0]/.test(local ?? '') ? local : undefined;
    if (configuration.uuid !== undefined && ownUuid !== undefined && configuration.uuid !== ownUuid) {
      findings.push({
        rule: 'uuid',
        severity: 'blocks',
        ...place,
        message: `UUID ${uuidText(configuration.uuid)}, and the destination has ${uuidText(ownUuid)}`,
        says: `UUID received is ${uuidText(configuration.uuid)} and local is ${uuidText(ownUuid)}`,
        fix: 'the same -uuid at both sides, or the capability validate-uuid off',
      });
    }
  } else if (own && !configuration) {
    findings.push({
      rule: 'missing-configuration',
      severity: 'blocks',
      message: 'the stream has no configuration section, and the destination insists on one',
      says: 'Configuration section missing',
      fix: '-global migration.send-configuration=off at the destination, too',
    });
  } else if (configuration && destination.own) {
    findings.push({
      rule: 'unexpected-configuration',
      severity: 'blocks',
      ...place,
      message: 'the stream has a configuration section, and the destination expects none',
      says: unknownTypeWords(QEMU_VM_CONFIGURATION, destination.qemuVersion),
      fix: '-global migration.send-configuration=on at the destination, too',
    });
  } else if (configuration && destination.tables?.schema.origin === 'binary') {
    const { machineType } = configuration;
    const known = destination.tables.schema.machineTypes;
    if (known.length > 0 && !known.includes(machineType)) {
      findings.push({
        rule: 'unknown-machine-type',
        severity: 'blocks',
        ...place,
        message: `this QEMU has no machine type ${printable(machineType)}`,
        says: 'unsupported machine type',
        fix: 'a destination whose QEMU has that machine type',
      });
    }
  }
  return findings;
}

function checkCapabilities(
  theirs: readonly string[],
  ours: readonly string[],
  destination: Destination,
): Finding[] {
  const on = new Set([...ours, ...(destination.facts?.capabilities ?? [])]);
  return VALIDATED_CAPABILITIES.filter((name) => theirs.includes(name) !== on.has(name)).map((name) => {
    const said = (isOn: boolean) => (isOn ? 'on' : 'off');
    const local = said(on.has(name));
    const received = said(theirs.includes(name));
    return {
      rule: 'capabilities',
      // Capabilities are set right before a load: that the destination did not have it before says little.
      severity: on.has(name) ? 'blocks' : 'suspicious',
      message: `capability ${name} was ${received} at the source, and is ${local} at the destination as it was seen`,
      says: `Capability ${name} is ${local}, but received capability is ${received}`,
      fix: `migrate-set-capabilities with ${name} ${received} at the destination`,
    };
  });
}

function uuidText(hex: string): string {
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
