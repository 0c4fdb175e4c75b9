import { compressedContainers } from './compressed.ts';
import type { Container } from './container.ts';
import { libvirtSaveImage } from './libvirt-save.ts';

/** All containers, in the order in which they are tried. */
export const containers: readonly Container[] = [libvirtSaveImage, ...compressedContainers];
