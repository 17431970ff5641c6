# Three targets of one image: `sum`, `batch` and `serve`; the last is what a plain build gives.

FROM debian:bookworm-slim AS build
WORKDIR /src
COPY tools/packages tools/install-packages tools/
RUN tools/install-packages build && rm -rf /var/lib/apt/lists/*
COPY . .
RUN make -j"$(nproc)" install DESTDIR=/out PREFIX=/usr/local CFLAGS='-O2' LDFLAGS=-s

FROM debian:bookworm-slim AS runtime
COPY tools/packages tools/install-packages /tmp/tools/
# The second nginx may listen on ports below 1024 without being root, for `docker run --user`
# (src/launch_nginx.c). /hostfiles belongs to a user who is not root, so that the binaries do not
# run as root either when nothing is mounted there, or a new named volume.
RUN /tmp/tools/install-packages image \
    && mkdir -p /usr/local/lib/trendline \
    && cp /usr/sbin/nginx /usr/local/lib/trendline/nginx-low-ports \
    && setcap cap_net_bind_service=+ep /usr/local/lib/trendline/nginx-low-ports \
    && install -d -o 1000 -g 1000 /hostfiles \
    && rm -rf /tmp/tools /var/lib/apt/lists/* /var/cache/* /var/log/* /usr/share/doc/* /usr/share/man/*
COPY --from=build /out/ /
ENV DATA_DIR=/hostfiles
EXPOSE 80
ENTRYPOINT ["trendline"]

FROM runtime AS sum
CMD ["sum"]

FROM runtime AS batch
CMD ["batch"]

FROM runtime AS serve
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["trendline", "health"]
CMD ["serve"]
