import { printable } from '../bytes/diagnostic.ts';
import { type OpenedStream, ramBlocksOf } from '../layout/open.ts';
import { ramSummaries } from '../ram/iterative.ts';
import type { RamBlock } from '../ram/ram-block.ts';
import type { Section } from '../stream/stream.ts';
import type { Destination } from './destination.ts';
import type { Finding } from './finding.ts';
import { checkRamRecords } from './ram-records.ts';
import { tooNewWords } from './version.ts';

const RAM = 'ram';
const RAM_VERSION = 4;
/** RAM blocks are resized in whole pages of the host; the smallest that hosts have. */
const HOST_PAGE_SIZE = 4096;

/**
 * Blocks that QEMU can resize, and the length that it reserves for them, by name (hw/core/loader.c, rom_add_blob;
 * include/hw/acpi/aml-build.h). Asked where the destination's monitor was not.
 */
export const RESIZABLE: ReadonlyMap<string, number> = new Map([
  ['/rom@etc/acpi/tables', 0x200000],
  ['/rom@etc/table-loader', 0x10000],
  ['/rom@etc/acpi/rsdp', 0x1000],
]);

/** The RAM block list, against the blocks of the destination. */
export function checkRam(opened: OpenedStream, destination: Destination): Finding[] {
  const { stream } = opened;
  const section = stream.sections.find(({ idstr }) => idstr === RAM);
  const refused = section && checkRamVersion(section, destination);
  if (refused) return [refused];
  const [summary] = ramSummaries(stream.sections);
  const blocks = ramBlocksOf(opened);
  const ownBlocks = destination.own && ramBlocksOf(destination.own);
  if (!blocks || !ownBlocks) return [];
  const range = section?.records[0]?.range;
  const place = { section: RAM, ...(range ? { range } : {}) };
  const page = checkPageSize(opened, destination);
  if (page) return [{ ...place, ...page }];
  const findings: Finding[] = (summary ? checkRamRecords(summary, opened, destination) : []).map(
    (finding) => ({
      ...place,
      ...finding,
    }),
  );
  const ours = new Map(ownBlocks.map((block) => [block.idstr, block]));
  for (const block of blocks) {
    const local = ours.get(block.idstr);
    ours.delete(block.idstr);
    if (!local) {
      findings.push({
        rule: 'unknown-ram-block',
        severity: 'blocks',
        ...place,
        message: `RAM block ${printable(block.idstr)} (${block.length} bytes) is not there at the destination`,
        says: `Unknown ramblock "${block.idstr}", cannot accept migration`,
        fix: 'the same devices in the same slots, with the same ROMs and memory backends (their ids are in the names)',
      });
      continue;
    }
    const finding = compareLength(block, local, destination);
    if (finding) findings.push({ ...place, ...finding });
    if (block.pageSize !== undefined && local.pageSize !== undefined && block.pageSize !== local.pageSize) {
      findings.push({
        rule: 'ram-page-size',
        severity: 'blocks',
        ...place,
        message: `RAM block ${printable(block.idstr)} has pages of ${block.pageSize} bytes, and at the destination of ${local.pageSize}`,
        says: `Mismatched RAM page size ${block.idstr} (local) ${local.pageSize} != ${block.pageSize}`,
        fix: 'memory backends of the same page size at both sides',
      });
    }
  }
  for (const { idstr, length } of ours.values()) {
    findings.push({
      rule: 'missing-ram-block',
      severity: 'note',
      ...place,
      message: `RAM block ${printable(idstr)} (${length} bytes) of the destination is not in the stream; it keeps what is in it`,
    });
  }
  return findings;
}

/** migration/savevm.c, qemu_loadvm_section_start_full; migration/ram.c, ram_load. */
function checkRamVersion({ versionId, records }: Section, { qemuVersion }: Destination): Finding | undefined {
  if (versionId === RAM_VERSION) return undefined;
  const isNewer = versionId > RAM_VERSION;
  return {
    rule: isNewer ? 'section-too-new' : 'section-too-old',
    severity: 'blocks',
    section: RAM,
    range: records[0]?.range,
    message: `version ${versionId} of RAM, of which every QEMU loads ${RAM_VERSION} and no other`,
    says: isNewer
      ? tooNewWords(RAM, versionId, RAM_VERSION, qemuVersion)
      : "error while loading state for instance 0x0 of device 'ram'",
  };
}

/** The size of the target's pages is not sent where it cannot be configured; descriptions have it. */
function checkPageSize({ schema, stream }: OpenedStream, { own }: Destination): Finding | undefined {
  const size = schema?.pageSize;
  const local = own?.schema?.pageSize;
  if (size === undefined || local === undefined || size === local) return undefined;
  if (stream.configuration?.targetPageBits !== undefined) return undefined;
  return {
    rule: 'target-page-bits',
    // Smaller pages have addresses in bits that are flags to the destination; of larger ones zero pages may do.
    severity: size < local ? 'blocks' : 'suspicious',
    message: `pages of ${size} bytes, and the destination has ${local}`,
    says: 'Unknown combination of migration flags: …',
    fix: 'a QEMU with the same page size for this target',
  };
}

/** softmmu/physmem.c, qemu_ram_resize. */
function compareLength(
  { idstr, length }: RamBlock,
  local: RamBlock,
  { facts }: Destination,
): Finding | undefined {
  const wanted = Math.ceil(length / HOST_PAGE_SIZE) * HOST_PAGE_SIZE;
  const used = Math.ceil(local.length / HOST_PAGE_SIZE) * HOST_PAGE_SIZE;
  if (wanted === used) return undefined;
  const name = printable(idstr);
  const hex = (value: number) => `0x${value.toString(16)}`;
  const sizes = `RAM block ${name} has ${length} bytes, and ${local.length} at the destination`;
  const fact = facts?.ramBlocks.find((block) => block.idstr === idstr);
  const isRom = idstr.startsWith('/rom@');
  // A block that can be resized has as a rule more reserved than it uses; ROMs can, too, to less than they have.
  const isResizable = isRom || (fact !== undefined && fact.maxLength > fact.usedLength);
  const most = fact?.maxLength ?? RESIZABLE.get(idstr);
  if (isResizable && wanted <= (most ?? used)) {
    return { rule: 'ram-block-resized', severity: 'note', message: `${sizes}; it will be resized` };
  }
  if (isRom && most === undefined) {
    return {
      rule: 'ram-block-size',
      severity: 'blocks',
      message: `${sizes}, and it cannot grow`,
      says: `Size too large: ${idstr}: ${hex(wanted)} > ${hex(used)}: Invalid argument`,
      fix: firmwareFix,
    };
  }
  return {
    rule: 'ram-block-size',
    severity: 'blocks',
    message: `${sizes}, which ${isResizable ? `can grow to ${most}` : 'cannot be resized'}`,
    says: isResizable
      ? `Size too large: ${idstr}: ${hex(wanted)} > ${hex(most ?? used)}: Invalid argument`
      : `Size mismatch: ${idstr}: ${hex(wanted)} != ${hex(used)}: Invalid argument`,
    fix: sizeFix(idstr, length),
  };
}

function sizeFix(idstr: string, length: number): string {
  // hw/pci/pci.c, pci_add_option_rom: the block is called after the device, and has a power of two of bytes.
  const device = /(?:^|\/)([^/]+)\.rom$/.exec(idstr)?.[1];
  if (device !== undefined)
    return `romsize=${length} on the ${printable(device)} at the destination (QEMU 6.0 and later), or with romfile= a ROM of the source's size`;
  return /rom|bios|flash/i.test(idstr)
    ? firmwareFix
    : 'the same memory size at both sides (-m, size of the memory backend, video memory)';
}

const firmwareFix =
  'firmware of the same size at both sides: pad the file, or give the same one with -bios or -drive if=pflash';
