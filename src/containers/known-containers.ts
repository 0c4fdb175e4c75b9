import { compressedContainers } from './compressed.ts';
import type { Container } from './container.ts';
import { libvirtSaveImage } from './libvirt-save.ts';
import { profile } from './profile.ts';
import { qcow2 } from './qcow2.ts';

/** All containers, in the order in which they are tried. */
export const containers: readonly Container[] = [qcow2, libvirtSaveImage, profile, ...compressedContainers];
