# The C library, static: all of the image is linked with it. Its own makefile where there is a
# make; Alpine's root has none before one was linked with this library, so there the shell does
# what the makefile says. Both give the same bytes, which `verify --root alpine` shows.
./configure --target="$TARGET" --prefix=/build/out --disable-shared --disable-wrapper
if command -v make > /dev/null; then
    make install-libs install-headers
else
    setting() { sed -n "s/^$1 = //p" config.mak; }
    arch=$(setting ARCH)
    mkdir -p obj/include/bits obj/src/internal obj/crt lib /build/out/lib /build/out/include/bits
    sed -f tools/mkalltypes.sed "arch/$arch/bits/alltypes.h.in" include/alltypes.h.in \
        > obj/include/bits/alltypes.h
    sed -n 'p' "arch/$arch/bits/syscall.h.in" > obj/include/bits/syscall.h
    sed -n 's/__NR_/SYS_/p' "arch/$arch/bits/syscall.h.in" >> obj/include/bits/syscall.h
    printf '#define VERSION "%s"\n' "$(cat VERSION)" > obj/src/internal/version.h
    flags="$(setting CFLAGS_C99FSE) -D_XOPEN_SOURCE=700 -Iarch/$arch -Iarch/generic \
        -Iobj/src/internal -Isrc/include -Isrc/internal -Iobj/include -Iinclude \
        $(setting CFLAGS_AUTO) $(setting CFLAGS)"
    unprotected=$(setting CFLAGS_NOSSP)
    # compile SOURCE OBJECT FLAG...
    compile() {
        source=$1 object=$2
        shift 2
        # The flags are many words.
        # shellcheck disable=SC2086
        cc $flags "$@" -c -o "$object" "$source"
    }
    # An object is compiled from the machine's own source if there is one. In the order of
    # the makefile: by the name of the object, without the folder of the machine.
    for source in src/*/*.c src/malloc/mallocng/*.c src/*/"$arch"/*.[csS]; do
        [ -f "$source" ] || continue
        object=$(echo "${source%.*}.o" | sed "s:/$arch/:/:")
        printf '%s %s\n' "$object" "$source"
    done | awk -v arch="/$arch/" '
        { if (!($1 in from) || index($2, arch)) from[$1] = $2 }
        END { for (object in from) { name = from[object]; sub(/\.[csS]$/, ".lo", name); print name, from[object] } }' |
        sort > objects
    while read -r object source; do
        mkdir -p "obj/${object%/*}"
        case ${object##*/} in
        __libc_start_main.lo | __init_tls.lo | __stack_chk_fail.lo | __set_thread_area.lo | \
            memset.lo | memcpy.lo)
            # shellcheck disable=SC2086
            compile "$source" "obj/$object" -fPIC $unprotected
            ;;
        *) compile "$source" "obj/$object" -fPIC ;;
        esac
    done < objects
    rm -f lib/libc.a
    # Appended, not replaced: xargs may call ar several times, and two objects are named clone.lo.
    sed 's:\([^ ]*\) .*:obj/\1:' objects | xargs ar qc lib/libc.a
    ranlib lib/libc.a
    for name in m rt pthread crypt util xnet resolv dl; do
        ar rc "lib/lib$name.a"
    done
    for source in crt/*.c crt/"$arch"/*.[csS]; do
        name=${source##*/}
        name=${name%.*}
        case $source in
        "crt/$name.c") [ ! -f "crt/$arch/$name.s" ] && [ ! -f "crt/$arch/$name.S" ] || continue ;;
        esac
        case $name in
        Scrt1 | rcrt1) pic=-fPIC ;;
        *) pic= ;;
        esac
        # shellcheck disable=SC2086
        compile "$source" "lib/$name.o" $unprotected -DCRT $pic
    done
    cp lib/*.a lib/*.o /build/out/lib/
    cp -R include/. /build/out/include/
    rm -f /build/out/include/*.in
    for header in arch/generic/bits/*.h "arch/$arch"/bits/*.h obj/include/bits/*.h; do
        cp "$header" /build/out/include/bits/
    done
fi
mkdir -p /build/out/licenses
cp COPYRIGHT /build/out/licenses/musl
