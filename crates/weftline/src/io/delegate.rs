//! The `futures-io` traits for the types of sockets and pipes, which all pass on to one [`Async`](crate::io::Async).

/// Implements `AsyncRead` by passing on to the `Async` that `$reader` finds in `$this`.
macro_rules! delegate_read {
    ([$($generics:tt)*] $type:ty where [$($bounds:tt)*], $this:ident => $reader:expr) => {
        impl<$($generics)*> futures_io::AsyncRead for $type
        where
            $($bounds)*
        {
            fn poll_read(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                buf: &mut [u8],
            ) -> std::task::Poll<std::io::Result<usize>> {
                let $this = &*self;
                let mut reader = $reader;
                futures_io::AsyncRead::poll_read(std::pin::Pin::new(&mut reader), cx, buf)
            }

            fn poll_read_vectored(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                bufs: &mut [std::io::IoSliceMut<'_>],
            ) -> std::task::Poll<std::io::Result<usize>> {
                let $this = &*self;
                let mut reader = $reader;
                futures_io::AsyncRead::poll_read_vectored(std::pin::Pin::new(&mut reader), cx, bufs)
            }
        }
    };
}

/// Implements `AsyncWrite` by passing on to the `Async` that `$writer` finds in `$this`. Closing
/// calls `close_write`.
macro_rules! delegate_write {
    ([$($generics:tt)*] $type:ty where [$($bounds:tt)*], $this:ident => $writer:expr) => {
        impl<$($generics)*> futures_io::AsyncWrite for $type
        where
            $($bounds)*
        {
            fn poll_write(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                buf: &[u8],
            ) -> std::task::Poll<std::io::Result<usize>> {
                let $this = &*self;
                let mut writer = $writer;
                futures_io::AsyncWrite::poll_write(std::pin::Pin::new(&mut writer), cx, buf)
            }

            fn poll_write_vectored(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                bufs: &[std::io::IoSlice<'_>],
            ) -> std::task::Poll<std::io::Result<usize>> {
                let $this = &*self;
                let mut writer = $writer;
                let writer = std::pin::Pin::new(&mut writer);
                futures_io::AsyncWrite::poll_write_vectored(writer, cx, bufs)
            }

            /// Nothing to do: a socket holds nothing back.
            fn poll_flush(
                self: std::pin::Pin<&mut Self>,
                _cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                std::task::Poll::Ready(Ok(()))
            }

            /// Shuts the writing direction down.
            fn poll_close(
                self: std::pin::Pin<&mut Self>,
                _cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                std::task::Poll::Ready(self.close_write())
            }
        }
    };
}

pub(crate) use {delegate_read, delegate_write};
