# The terminals that people have are compiled in: the image has no database of them.
terminals=xterm-256color,xterm,xterm-direct,xterm-16color,screen-256color,screen
terminals=$terminals,screen.xterm-256color,tmux-256color,tmux,tmux-direct,linux,vt100,vt220
terminals=$terminals,alacritty,foot,kitty,ghostty,wezterm,st-256color,konsole-256color
terminals=$terminals,vte-256color,gnome-256color,mintty,ms-terminal,putty-256color,putty,rxvt
terminals=$terminals,nsterm,ansi,dumb

# What configure would find out by running a program or by asking ar.
export cf_cv_ar_flags=-curvD cf_cv_func_nanosleep=yes cf_cv_working_poll=yes
./configure --build="$BUILD" --host="$TARGET" BUILD_CC="${BUILD_CC:-cc}" BUILD_CFLAGS=-O1 \
    --enable-widec --without-shared --with-normal --without-debug --without-ada \
    --without-cxx --without-cxx-binding --without-manpages --without-tests --without-progs \
    --without-gpm --without-dlsym --without-pkg-config --disable-stripping \
    --disable-database --disable-home-terminfo --disable-db-install --enable-overwrite \
    --enable-sigwinch --enable-ext-colors --enable-ext-mouse --prefix=/build/out \
    --with-terminfo-dirs=/nonexistent --with-default-terminfo-dir=/nonexistent \
    --with-tic-path=/deps/tic/bin/tic --with-infocmp-path=/deps/tic/bin/infocmp \
    --with-fallbacks="$terminals"
make -C include
make -C ncurses
make -C include install
make -C ncurses install
mkdir -p /build/out/licenses
cp COPYING /build/out/licenses/ncurses
