# A module of Go's: the packages of it that packages.txt names, laid out as Go looks for them.
# The recipe says the component's `name` and the file with its `license`.
module=$(sed -n 's/^module //p' go.mod)
packages=$(grep -x -e "$module" -e "$module/.*" /build/files/packages.txt) || {
    echo "error: packages.txt names no package of $module" >&2
    exit 1
}
mkdir -p "/build/out/src/$module" /build/out/licenses
cp go.mod "/build/out/src/$module/"
for package in $packages; do
    mkdir -p "/build/out/src/$package"
    # What Go compiles: its own language and its assembler.
    find ".${package#"$module"}" -maxdepth 1 '(' -name '*.go' -o -name '*.s' -o -name '*.h' ')' \
        ! -name '*_test.go' -exec cp '{}' "/build/out/src/$package/" ';'
done
cp "$license" "/build/out/licenses/$name"
