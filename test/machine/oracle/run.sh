#!/bin/bash
# run.sh SCENARIO.txt [-m MB] [--thp always|madvise|never] [--smp N] [--disk pmem|virtio] [--no-icount]
#        [-o OUT.jsonl] [--append 'kernel words'] [--kernel stable|backports]
# Boots a Debian 12 kernel in QEMU (TCG) with kreplay as PID 1, replays the scenario,
# and writes a truth file (JSON lines).  Options may also stand in the scenario's
# first lines as "#! -m 512 --thp always".  Needs root once, for apt.  MIT.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${KERNEL_ORACLE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kernel-oracle}
mkdir -p "$cache"
scen=$1; shift
out= mb=512 thp=madvise smp=1 disk=pmem icount=1 append= diskmb=1024 kernel=stable
opts=$(sed -n 's/^#! *//p' "$scen" | tr '\n' ' ')
set -- $opts "$@"
while [ $# -gt 0 ]; do case $1 in
  -m) mb=$2; shift;; --thp) thp=$2; shift;; --smp) smp=$2; shift;; -o) out=$2; shift;; --disk) disk=$2; shift;;
  --no-icount) icount=0;; --append) append=$2; shift;; --kernel) kernel=$2; shift;; *) echo "unknown option $1" >&2; exit 2;; esac; shift; done
[ -n "$out" ] || { echo "-o FILE is missing" >&2; exit 2; }

# 1. packages (only when something is missing)
need=(); for p in qemu-system-x86:qemu-system-x86_64 cpio:cpio gcc:gcc kmod:depmod xz-utils:xz zstd:zstd e2fsprogs:mkfs.ext4 procps:pmap; do
  PATH=$PATH:/sbin:/usr/sbin command -v "${p#*:}" >/dev/null || need+=("${p%%:*}"); done
if [ ${#need[@]} -gt 0 ]; then apt-get update -qq; DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${need[@]}" libc6-dev seabios >/dev/null; fi
PATH=$PATH:/sbin:/usr/sbin

exec 9> "$cache/lock"; flock 9      # runs side by side share the cache

# 2. the kernel: downloaded and unpacked, never installed (stable: 6.1, backports: 6.12)
k=$cache/kernel-$kernel
if [ ! -e "$k/ok" ]; then
  rm -rf "$k"; mkdir -p "$k/deb" "$cache/apt/partial"; apt=()
  if [ "$kernel" = backports ]; then
    echo "deb http://deb.debian.org/debian bookworm-backports main" > "$cache/apt.list"
    apt=(-o "Dir::Etc::sourcelist=$cache/apt.list" -o Dir::Etc::sourceparts=/dev/null -o "Dir::State::lists=$cache/apt"); fi
  img() { apt-cache "${apt[@]}" depends linux-image-amd64 2>/dev/null | sed -n 's/.*Depends: //p' | head -1; }
  [ "$kernel" = stable ] && [ -n "$(img)" ] || apt-get "${apt[@]}" update -qq
  (cd "$k/deb" && apt-get "${apt[@]}" download -qq "$(img)" 2>/dev/null); dpkg-deb -x "$k"/deb/*.deb "$k"; rm -rf "$k/deb"
  depmod -b "$k" "$(ls "$k/lib/modules")"; touch "$k/ok"
fi
ver=$(ls "$k/lib/modules"); vmlinuz=$k/boot/vmlinuz-$ver
# An uncompressed kernel boots (by PVH) without a slow decompression under TCG.
if [ ! -e "$k/vmlinux" ]; then
  unpack() { local off; off=$(LC_ALL=C grep -abo "$1" "$vmlinuz" | head -1 | cut -d: -f1) || true; [ -n "$off" ] && tail -c +$((off + 1)) "$vmlinuz" | $2 2>/dev/null || true; }
  unpack $'\xfd7zXZ' 'xz -dc' > "$k/vmlinux.new"; [ -s "$k/vmlinux.new" ] || unpack $'\x28\xb5\x2f\xfd' 'zstd -dc' > "$k/vmlinux.new"
  mv "$k/vmlinux.new" "$k/vmlinux"; fi
case $(head -c 4 "$k/vmlinux" | tail -c 3) in ELF) vmlinuz=$k/vmlinux;; esac

# 3. the initramfs: kreplay, the modules for the disk, procps with its libraries
sum=$(cat "$here/kreplay.c" "${BASH_SOURCE[0]}" | sha1sum | cut -c1-12)
zram=; ! grep -q '^swap .* zram' "$scen" || zram=-zram
base=$cache/base-$kernel-$disk$zram-$sum.cpio.gz
if [ ! -e "$base" ]; then
  r=$(mktemp -d); mkdir -p "$r/mod" "$r/bin"
  gcc -O2 -static -s -w -o "$r/init" "$here/kreplay.c" -lpthread
  case $disk in virtio) mods="crc32c_generic virtio_pci virtio_blk ext4";; pmem) mods="crc32c_generic nfit nd_pmem ext4";; esac
  pack() { for m in "$@"; do modprobe -d "$k" -S "$ver" --show-depends "$m" | sed -n 's/^insmod //p'; done | awk '!s[$1]++' | while read -r f _; do
    f=$k${f#"$k"}; n=$(basename "${f%.xz}"); case $f in *.xz) xz -dc "$f";; *) cat "$f";; esac > "$r/mod/$n"; echo "/mod/$n"; done; }
  pack $mods > "$r/modules.list"; [ -z "$zram" ] || pack zram > "$r/zram.list"
  for t in free ps pmap vmstat; do b=$(command -v $t); cp -L "$b" "$r/bin/$t"
    ldd "$b" | grep -o '/[^ ]*' | while read -r l; do mkdir -p "$r/$(dirname "$l")"; cp -Lu "$l" "$r$l"; done; done
  find "$r" -exec touch -h -d @0 {} +
  (cd "$r" && find . | sort | cpio -o -H newc --quiet --reproducible | gzip -1n) > "$base.$$"; mv "$base.$$" "$base"; rm -rf "$r"
fi
flock -u 9; exec 9>&-
w=$(mktemp -d); trap 'rm -rf "$w"' EXIT
cp "$scen" "$w/scenario.txt"
(cd "$w" && touch -d @0 scenario.txt && echo scenario.txt | cpio -o -H newc --quiet --reproducible | gzip -1n > s.gz); cat "$base" "$w/s.gz" > "$w/initrd"

# 4. boot
truncate -s ${diskmb}M "$w/disk"
mkfs.ext4 -q -F -m 0 -U 00000000-0000-4000-8000-000000000001 -E hash_seed=00000000-0000-4000-8000-000000000002,lazy_itable_init=0,nodiscard "$w/disk"
dev=(); case $disk in
  virtio) dev=(-drive "file=$w/disk,if=virtio,format=raw,cache=unsafe,aio=threads"); mach=pc;;
  pmem) dev=(-object "memory-backend-file,id=pm,mem-path=$w/disk,share=off,size=${diskmb}M" -device nvdimm,memdev=pm,id=nv); mach=pc,nvdimm=on; dev=(-m "${mb}M,slots=2,maxmem=8G" "${dev[@]}");; esac
[ "$disk" = pmem ] || dev=(-m "${mb}M" "${dev[@]}")
[ $icount = 0 ] || dev+=(-icount shift=1,sleep=off)
t0=$(date +%s%N)
timeout 900 nice -n 5 qemu-system-x86_64 -machine $mach -accel tcg -cpu qemu64,+ssse3,+sse4.1,+sse4.2,+popcnt -smp "$smp" "${dev[@]}" \
  -kernel "$vmlinuz" -initrd "$w/initrd" -nographic -no-reboot -net none -seed 1 -rtc base=2024-01-01,clock=vm \
  -debugcon "file:$w/out" -global isa-debugcon.iobase=0xe9 -serial "file:$w/console" -monitor none \
  -append "console=ttyS0 quiet rootfstype=ramfs nokaslr norandmaps mitigations=off init_on_alloc=0 random.trust_cpu=off nowatchdog panic=-1 cgroup_no_v1=all psi=1 transparent_hugepage=$thp $append" </dev/null || echo "qemu: exit $?" >&2
t1=$(date +%s%N)
cp "$w/console" "$cache/console-$(basename "$scen" .txt).txt"
# step numbers to a file without host-dependent parts; the header gets the run's settings and the script
{ sed -n 1p "$w/out" | sed "s|^{\"t\":\"head\",|{\"t\":\"head\",\"scenario\":\"$(basename "$scen" .txt)\",\"mem_mb\":$mb,\"smp\":$smp,\"disk_kind\":\"$disk\",\"icount\":$icount,|"; sed 1d "$w/out"; } > "$out"
tail -1 "$out" | grep -q '"t":"end"' && ok=complete || ok=INCOMPLETE
echo "$(basename "$scen"): $ok, $(( (t1 - t0) / 1000000 )) ms in QEMU, $(wc -l < "$out") lines, $(stat -c %s "$out") bytes -> $out"
