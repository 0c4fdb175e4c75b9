#!/bin/sh
# Captures save images of real libvirt: fixtures/libvirt/. Needs virsh with a running libvirtd (11.2 or newer for
# zstd and sparse), qemu-system-aarch64 and -s390x, xz, bzip2, lzop and zstd.
#
#   sh scripts/capture/libvirt.sh fixtures/libvirt [CONNECTION]
#
# The guests are made paused, so that they are small: no instruction is run. Truth that is kept in manifest.json: the
# stream as the format's own program decodes it, guest memory as QEMU's monitor saves it, the XML as virsh prints it.
set -eu
out=$1
export LIBVIRT_DEFAULT_URI="${2:-qemu:///system}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$out"

# ARCH MACHINE CPU EXTRA_DEVICES
domain() {
  cat <<XML
<domain type='qemu'>
  <name>save &lt;$1&gt;</name>
  <uuid>6695eb01-f6a4-8304-79aa-97f2502e193f</uuid>
  <memory unit='MiB'>16</memory>
  <vcpu>1</vcpu>
  <os><type arch='$1' machine='$2'>hvm</type></os>
  <cpu mode='custom' match='exact' check='none'><model fallback='forbid'>$3</model></cpu>
  <devices>
    <emulator>/usr/bin/qemu-system-$1</emulator>
    <controller type='usb' model='none'/>
    <memballoon model='none'/>
    <audio id='1' type='none'/>
    $4
  </devices>
</domain>
XML
}

sha() { sha256sum | cut -d ' ' -f 1; }

# ARCH RAM_BASE FORMAT DECODER...
capture() {
  arch=$1 base=$2 format=$3
  shift 3
  name=$arch-$format
  virsh -q create "$work/$arch.xml" --paused
  virsh -q qemu-monitor-command "save <$arch>" --hmp "pmemsave $base 0x1000000 \"$work/memory\""
  virsh -q save "save <$arch>" "$work/$name.save" --image-format "$format"
  # virQEMUSaveHeader, on a little-endian host: 92 bytes, and as many as the u32 at 20 says.
  length=$(od -An -tu4 -j 20 -N 4 "$work/$name.save" | tr -d ' ')
  stream=$(tail -c +$((93 + length)) "$work/$name.save" | "$@" | sha)
  gzip -9nc "$work/$name.save" > "$out/$name.save.gz"
  virsh save-image-dumpxml "$work/$name.save" > "$out/$arch.xml"
  printf '%s  { "name": "%s", "format": "%s", "arch": "%s", "stream": "%s", "memory": "%s" }' \
    "$comma" "$name" "$format" "$arch" "$stream" "$(sha < "$work/memory")" >> "$out/manifest.json"
  comma=',
'
}

domain aarch64 virt cortex-a53 '' > "$work/aarch64.xml"
domain s390x s390-ccw-virtio qemu "<panic model='s390'/>" > "$work/s390x.xml"
comma=''
printf '[\n' > "$out/manifest.json"
capture s390x 0 raw cat
capture s390x 0 sparse cat
capture aarch64 0x40000000 gzip gzip -dc
capture aarch64 0x40000000 bzip2 bzip2 -dc
capture aarch64 0x40000000 xz xz -dc
capture aarch64 0x40000000 lzop lzop -dc
capture aarch64 0x40000000 zstd zstd -dc
printf '\n]\n' >> "$out/manifest.json"
