import { printable } from '../bytes/diagnostic.ts';
import { uuidText } from '../bytes/uuid.ts';
import { configurationOf, type OpenedStream } from '../layout/open.ts';
import { QEMU_VM_CONFIGURATION } from '../stream/records.ts';
import type { Destination } from './destination.ts';
import type { Finding } from './finding.ts';
import { unknownTypeWords } from './version.ts';

/** Capabilities that a load compares with the source's (migration/savevm.c, should_validate_capability). */
export const VALIDATED_CAPABILITIES = ['x-ignore-shared', 'mapped-ram'];

/** What stands before the first section. */
export function checkConfiguration(opened: OpenedStream, destination: Destination): Finding[] {
  const { stream } = opened;
  const findings: Finding[] = [];
  const configuration = configurationOf(opened);
  const own = destination.own && configurationOf(destination.own);
  const place = stream.configuration && { section: 'configuration', range: stream.configuration.range };
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
      ...checkCapabilities(opened, configuration.capabilities ?? [], destination).map((finding) => ({
        ...place,
        ...finding,
      })),
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
        fix: 'the same -uuid at both sides, or the capability validate-uuid off at the source',
      });
    }
  } else if (own && !configuration) {
    findings.push({
      rule: 'missing-configuration',
      ...(isDeviceState(stream)
        ? {
            severity: 'suspicious',
            message:
              'the stream is the state of devices alone, as xen-save-devices-state writes it, without a configuration section; a QEMU under Xen expects none',
          }
        : {
            severity: 'blocks',
            message: 'the stream has no configuration section, and the destination insists on one',
          }),
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
  { stream }: OpenedStream,
  theirs: readonly string[],
  destination: Destination,
): Finding[] {
  const known = destination.facts?.knownCapabilities;
  const unknown = known ? theirs.filter((name) => !known.includes(name)) : [];
  const findings: Finding[] = unknown.map((name) => ({
    rule: 'capabilities',
    severity: 'blocks',
    message: `the source had the capability ${printable(name)} on, which the QEMU of the destination does not have`,
    says: `Received unknown capability ${name}`,
    fix: `capability ${printable(name)} off at the source, or a newer QEMU at the destination`,
  }));
  for (const name of VALIDATED_CAPABILITIES) {
    if (unknown.includes(name)) continue;
    const received = theirs.includes(name);
    const { isOn, isSet } = destination.capability(name) ?? { isOn: false, isSet: false };
    if (received === isOn) continue;
    const said = (on: boolean) => (on ? 'on' : 'off');
    findings.push({
      rule: 'capabilities',
      // Capabilities are set right before a migration: that a side did not have it before says little.
      severity: (isOn || isSet) && (received || stream.configuration) ? 'blocks' : 'suspicious',
      message: `capability ${name} was ${said(received)} at the source, and is ${said(isOn)} at the destination${isSet ? '' : ' as it was seen'}`,
      says: `Capability ${name} is ${said(isOn)}, but received capability is ${said(received)}`,
      fix: `migrate-set-capabilities with ${name} ${said(received)} at the destination`,
    });
  }
  return findings;
}

/**
 * What `xen-save-devices-state` writes (migration/savevm.c, qemu_save_device_state): state of devices alone, and nothing
 * in front of it.
 */
export function isDeviceState({ configuration, sections, vmdescription }: OpenedStream['stream']): boolean {
  return (
    !configuration &&
    !vmdescription &&
    sections.length > 0 &&
    sections.every(({ records }) => records.every(({ type }) => type === 'SECTION_FULL'))
  );
}
