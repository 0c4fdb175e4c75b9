import type { OpenedStream } from '../layout/open.ts';
import type { CommandRecord, ConfigurationRecord, SectionRecord, StreamRecord } from '../stream/records.ts';

/** A record that a manifest names. */
export type NamedRecord = ConfigurationRecord | CommandRecord | SectionRecord;

/** The records that a manifest names, in their order, with those in packages; of a section its first. */
export function manifestRecords({ stream }: Pick<OpenedStream, 'stream'>): NamedRecord[] {
  const first = new Set<StreamRecord | undefined>(stream.sections.map(({ records }) => records[0]));
  const found: NamedRecord[] = [];
  const add = (record: StreamRecord): void => {
    if (record.kind === 'configuration' || record.kind === 'command') found.push(record);
    else if (record.kind === 'section' && first.has(record)) found.push(record);
    if (record.kind === 'command' && record.detail?.command === 'PACKAGED')
      record.detail.records.forEach(add);
  };
  stream.records.forEach(add);
  return found;
}

/** The name of a command in a manifest: its number where it has none. */
export function commandName({ name, command }: CommandRecord): string {
  return name ?? String(command);
}
