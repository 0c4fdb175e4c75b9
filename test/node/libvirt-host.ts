import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Of the only domain. */
export const UUID = 'c7a5fdbd-edaf-9455-926a-d65c16db1809';
/** In a script of the shell, in front of the arguments. */
export const fakeVirsh = `exec "${process.execPath}" "${fileURLToPath(new URL('fake-virsh.mjs', import.meta.url))}"`;

export interface LibvirtHost {
  /** What is there in place of the fake virsh: lines of the shell. */
  readonly virsh?: string;
  /** Of the only domain: `vm` without it. */
  readonly name?: string;
  /** Socket of its QEMU; without it the domain does not run. */
  readonly qmp?: string;
}

export function makeFolder(): string {
  return mkdtempSync(join(tmpdir(), 'virsh-'));
}

/** Words in front of a command with which it runs on a host that has libvirt, and temporary files in a folder. */
export function libvirtHost(
  folder: string,
  { virsh = `${fakeVirsh} "$@"`, name = 'vm', qmp }: LibvirtHost,
): readonly string[] {
  writeFileSync(join(folder, 'virsh'), `#!/bin/sh\n${virsh}\n`, { mode: 0o755 });
  return [
    'env',
    `PATH=${folder}:${process.env['PATH']}`,
    ...[`DOMAIN=${name}`, `UUID=${UUID}`, `TMPDIR=${folder}`],
    ...(qmp === undefined ? [] : [`QMP=${qmp}`]),
  ];
}
