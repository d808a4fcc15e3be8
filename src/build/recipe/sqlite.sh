# Used by Python's sqlite3, for the descriptions of tor's options that stem keeps in a
# database. One file is made of the tree by its own means: a small Tcl interpreter and a parser
# generator, compiled here for the machine that builds.
make -f Makefile.linux-generic sqlite3.c sqlite3.h CC="${BUILD_CC:-cc}" CFLAGS=-O1
cc $CFLAGS -DSQLITE_THREADSAFE=1 -DSQLITE_OMIT_LOAD_EXTENSION -DSQLITE_DEFAULT_MEMSTATUS=0 \
    -DSQLITE_OMIT_DEPRECATED -DSQLITE_TEMP_STORE=3 -c sqlite3.c
mkdir -p /build/out/lib /build/out/include /build/out/licenses
ar rcs /build/out/lib/libsqlite3.a sqlite3.o
cp sqlite3.h /build/out/include/
# Its license is a blessing at the head of each of its files.
sed -n '2,/^\*\*\*\*/p' sqlite3.h | sed '/^\*\*\*\*/d; s/^\*\* \{0,1\}//' > /build/out/licenses/sqlite
