import type { OpenedStream } from '../layout/open.ts';
import type { ChannelSummary } from '../ram/channels.ts';
import { bytesElsewhere, type RamSummary } from '../ram/ram.ts';
import type { Destination } from './destination.ts';
import type { Finding } from './finding.ts';
import { isOlder } from './version.ts';

/** First QEMU without the capability compress. */
const COMPRESS_GONE = [9, 1] as const;
/** First QEMU that knows RAM_SAVE_FLAG_MULTIFD_FLUSH. */
const MULTIFD_FLUSH_SINCE = [8, 0] as const;
/** First QEMU that takes pages of one byte repeated for zero pages only, and passes over hooks that it has not. */
const STRICT_ZERO_SINCE = [8, 2] as const;

const MULTIFD = 'multifd';

/** Records of RAM that a destination does not know, or knows with a capability only (migration/ram.c, ram_load_precopy). */
export function checkRamRecords(
  summary: RamSummary,
  { stream }: OpenedStream,
  destination: Destination,
): Finding[] {
  const { qemuVersion } = destination;
  const { pages, blocks, multifdFlush, hook, channels } = summary;
  const isBefore = (version: readonly [number, number]) =>
    qemuVersion !== undefined && isOlder(qemuVersion, version);
  const isFrom = (version: readonly [number, number]) =>
    qemuVersion !== undefined && !isOlder(qemuVersion, version);
  const findings: Finding[] = [];
  if (pages.compressed.pages > 0) findings.push(...checkCompressed(pages.compressed.pages, destination));
  if (pages.fill.pages > 0 && isFrom(STRICT_ZERO_SINCE)) {
    findings.push({
      rule: 'ram-pages',
      severity: 'blocks',
      message: `${pages.fill.pages} pages of one byte repeated that is not zero, which QEMU does not read from ${STRICT_ZERO_SINCE.join('.')} on`,
      says: 'Found a zero page with value …',
    });
  }
  if (hook > 0 && isBefore(STRICT_ZERO_SINCE)) {
    findings.push({
      rule: 'ram-pages',
      severity: 'suspicious',
      message: `${hook} hooks of an RDMA migration, which a QEMU before ${STRICT_ZERO_SINCE.join('.')} takes over RDMA only`,
      says: 'load of migration failed: Invalid argument',
      fix: 'a migration without RDMA',
    });
  }
  if (multifdFlush > 0 && isBefore(MULTIFD_FLUSH_SINCE)) {
    findings.push({
      rule: 'ram-pages',
      severity: 'blocks',
      message: `${multifdFlush} marks of multifd (flag 0x200), which QEMU reads from ${MULTIFD_FLUSH_SINCE.join('.')} on, and the destination is ${qemuVersion}`,
      says: 'Unknown combination of migration flags: 0x200',
      fix: 'the machine type of a QEMU before 8.0 at the source (it has migration.multifd-flush-after-each-section=on), or multifd off',
    });
    return findings;
  }
  const sharing = stream.configuration?.capabilities?.includes('x-ignore-shared') === true;
  // Before 9.0, zero pages are in the main stream, and there may be no mark of the other channels.
  const isShort = bytesElsewhere(summary) > 0;
  const isComplete = stream.records.some(({ kind }) => kind === 'eof');
  // Multifd reads a mapped-ram file without channels.
  if (blocks.some(({ mapped }) => mapped)) return findings;
  const given = channels?.filter(({ kind }) => kind === MULTIFD).length;
  findings.push(...checkCompression(channels ?? [], destination));
  const use = multifdFlush > 0 ? 'used' : isShort && isComplete && !sharing ? 'possible' : 'unused';
  findings.push(...checkMultifd(use, given, destination));
  return findings;
}

/** Pages that were compressed one by one: QEMU had that as an experiment of its own until 9.0. */
function checkCompressed(count: number, destination: Destination): Finding[] {
  const { qemuVersion } = destination;
  const fix = 'capability compress off at the source';
  if (qemuVersion !== undefined && !isOlder(qemuVersion, COMPRESS_GONE)) {
    const message = `${count} compressed pages, which QEMU does not read from ${COMPRESS_GONE.join('.')} on`;
    const says = 'Unknown combination of migration flags: 0x100';
    return [{ rule: 'ram-pages', severity: 'blocks', message, says, fix }];
  }
  const known = destination.capability('compress');
  if (known?.isOn) return [];
  return [
    {
      rule: 'ram-pages',
      severity: known?.isSet ? 'blocks' : 'suspicious',
      message: `${count} compressed pages: the destination must have the capability compress on`,
      says: 'Received an unexpected compressed page',
      fix: `capability compress on at the destination; or ${fix}`,
    },
  ];
}

/** migration/multifd-*.c: each packet says how it is compressed. */
function checkCompression(channels: readonly ChannelSummary[], { parameters }: Destination): Finding[] {
  const wanted = parameters['multifd-compression'];
  const other = channels.find(
    (channel) => channel.kind === MULTIFD && channel.encoding !== undefined && channel.encoding !== wanted,
  );
  if (wanted === undefined || other?.kind !== MULTIFD) return [];
  return [
    {
      rule: 'capabilities',
      severity: 'blocks',
      message: `the multifd channels have the compression ${other.encoding}, and the destination multifd-compression=${wanted}`,
      says: 'multifd …: flags received … flags expected …',
      fix: `migration parameter multifd-compression=${other.encoding} at the destination`,
    },
  ];
}

/**
 * The pages of a migration with multifd are in its other connections. A QEMU without the capability loads the rest, and
 * leaves the memory empty; one with it waits until all of its channels are there (migration/migration.c,
 * migration_has_all_channels). `given`: multifd channels that were given; undefined where none were.
 */
function checkMultifd(
  use: 'used' | 'possible' | 'unused',
  given: number | undefined,
  destination: Destination,
): Finding[] {
  const known = destination.capability(MULTIFD);
  if (use === 'unused') {
    if (!known?.isOn || (given ?? 0) > 0) return [];
    return [
      {
        rule: 'capabilities',
        severity: known.isSet ? 'blocks' : 'suspicious',
        message:
          'the capability multifd is on at the destination, and the stream was written without: it waits for channels that do not come',
        fix: 'capability multifd off at the destination',
      },
    ];
  }
  const wanted = destination.parameters['multifd-channels'];
  if (known?.isOn && given !== undefined && wanted !== undefined && wanted !== String(given)) {
    return [
      {
        rule: 'capabilities',
        severity: 'blocks',
        message: `${given} multifd channels, and the destination waits for multifd-channels=${wanted}`,
        fix: `migration parameter multifd-channels=${given} at the destination`,
      },
    ];
  }
  if (known?.isOn && given !== undefined) return [];
  const fix = 'capability multifd on at the destination, and all channels of the migration';
  if (use === 'possible') {
    const message =
      'pages of RAM are not in the stream, and none with content: if it was sent with multifd, they are in its channels; --channel takes them';
    return [{ rule: 'ram-pages', severity: 'note', message, fix }];
  }
  const off =
    known?.isOn === false ? ', which it has off: it loads the rest and leaves the memory empty' : '';
  const where =
    given === undefined ? ', not in this stream: --channel takes them' : `, of which ${given} were given`;
  return [
    {
      rule: 'capabilities',
      severity: 'suspicious',
      message: `the pages of RAM are in the migration's multifd channels${where}. The destination needs the capability multifd${off}`,
      fix,
    },
  ];
}
